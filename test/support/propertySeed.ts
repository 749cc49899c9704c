import fc from "fast-check";

/**
 * Property tests try the same cases in every run, so that a run says something about a change and not about chance.
 * `SPACKTAINERS_TEST_SEED=random` looks for new ones; a number repeats a run.
 */
const wanted = process.env.SPACKTAINERS_TEST_SEED;
if (wanted !== "random") fc.configureGlobal({ seed: wanted === undefined ? 20_261_122 : Number(wanted) });
