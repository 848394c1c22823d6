/** Units of sizes as people write them, in bytes: the same in a step's resources and on the command line. */
const UNITS = {
  B: 1,
  KB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
} as const;

/** By what somebody typed: undefined where it is no unit. */
export const SIZE_BYTES: Readonly<Record<string, number>> = UNITS;
export const GIGABYTE = UNITS.GB;
