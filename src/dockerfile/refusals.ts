/** Instructions of Dockerfiles that make no sense after an assembled image, and what to do instead. */
export const refusals: Readonly<
  Record<string, { readonly message: string; readonly hint: string } | undefined>
> = {
  FROM: {
    message: "an epilogue continues the assembled image: it has no FROM",
    hint: "remove the line; `base:` in spacktainers.yaml sets the base",
  },
  ONBUILD: {
    message: "images in OCI format have no ONBUILD",
    hint: "put the instruction into the Dockerfile that builds on this image",
  },
};
