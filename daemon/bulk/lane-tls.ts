/** What both ends of a lane say to TLS: 1.3 with a pre-shared key of one use, no certificates. */
import type { SecureContextOptions } from "node:tls";

export const LANE_TLS: SecureContextOptions = {
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  ciphers: "TLS_AES_128_GCM_SHA256",
};
