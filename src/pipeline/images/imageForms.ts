/** The forms, beside a container's name, in which verbs take an image: for hints and descriptions. */
export const otherImageForms =
  "the path of an OCI layout, of a SIF or squashfs file or of an Apptainer sandbox; oci:DIR, oci-archive:FILE or docker-archive:FILE; docker://NAME or oras://NAME";

/** All forms in which verbs take an image. */
export const imageForms = `a container's name; ${otherImageForms}`;
