/** To be raised whenever the same fragments and base give another image. */
export const assemblyVersion = 4;
