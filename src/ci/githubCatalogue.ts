/** The workflow that publishes the catalogue on GitHub Pages. */
import type { CiConfiguration } from "../definitions/ciConfiguration.ts";

type Step = Readonly<Record<string, unknown>>;

const actions = {
  configure: "actions/configure-pages@v5",
  upload: "actions/upload-pages-artifact@v3",
  deploy: "actions/deploy-pages@v4",
} as const;

/** The step that writes the pages. */
export const catalogueStep = "Catalogue";

/**
 * The workflow: after each run that may have published something, and by hand.
 *
 * @param job the job that writes the pages into `public`, by a step {@link catalogueStep}, without what belongs to GitHub Pages
 * @param deployer `runs-on` of the job that publishes them
 * @param after names of the workflows that publish images
 */
export function catalogueWorkflow(
  job: Step & { readonly steps: readonly Step[] },
  {
    ci,
    deployer,
    after,
  }: { readonly ci: CiConfiguration; readonly deployer: unknown; readonly after: readonly string[] },
): object {
  const { steps, permissions, ...rest } = job;
  const isDone =
    "github.event_name == 'workflow_dispatch' || github.event.workflow_run.event != 'pull_request' && github.event.workflow_run.conclusion != 'cancelled'";
  return {
    name: "catalogue",
    on: {
      workflow_run: { workflows: [...after], types: ["completed"], branches: [ci.branch] },
      workflow_dispatch: {},
    },
    permissions: { contents: "read" },
    concurrency: { group: "catalogue", "cancel-in-progress": false },
    defaults: { run: { shell: "bash" } },
    env: { FORCE_COLOR: "0" },
    jobs: {
      catalogue: {
        ...rest,
        if: `\${{ ${isDone} }}`,
        permissions: {
          ...(permissions as object | undefined),
          contents: "read",
          packages: "read",
          pages: "read",
        },
        steps: [
          ...steps.flatMap((step) =>
            step.name === catalogueStep
              ? [
                  { id: "pages", uses: actions.configure },
                  { ...step, env: { PAGES_URL: `\${{ steps.pages.outputs.base_url }}` } },
                  { uses: actions.upload, with: { path: "public" } },
                ]
              : [step],
          ),
        ],
      },
      deploy: {
        name: "publish the catalogue",
        needs: ["catalogue"],
        "runs-on": deployer,
        permissions: { pages: "write", "id-token": "write" },
        environment: { name: "github-pages", url: `\${{ steps.deployment.outputs.page_url }}` },
        steps: [{ id: "deployment", uses: actions.deploy }],
      },
    },
  };
}
