/** The directory as placement reads it: this peer's own entry says what is so right now, not what was last spread. */
import type { Capacity } from "../../src/engine/scheduler/admission.ts";
import type { LoadRecord, PeerId, PeerView } from "../../src/model/peer.ts";
import { peerName, type PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { PlacementBook } from "./placement-machine.ts";
import type { MachineNow } from "./worker-machine.ts";

export interface PeerBookDeps {
  readonly directory: PeerDirectory;
  readonly name: string;
  readonly capacity: Capacity;
  readonly slots: number;
}

/** A device with less of its memory free than this is in use by somebody else. */
const GPU_FREE_SHARE_MIN = 0.5;

export class PeerBook implements PlacementBook {
  readonly self: PeerId;
  readonly #deps: PeerBookDeps;
  isDraining = false;
  /** Devices that attempts of ours hold. */
  readonly #startLoad: LoadRecord;

  constructor(deps: PeerBookDeps) {
    this.#deps = deps;
    this.self = deps.directory.self;
    const { cores, memBytes, gpus } = deps.capacity;
    this.#startLoad = {
      cpus: cores,
      cpuBusy: 0,
      memBytes,
      memFreeBytes: memBytes,
      gpus: Array.from({ length: gpus }, (_, index) => ({
        uuid: String(index),
        name: "",
        memBytes: 1,
        memFreeBytes: 1,
        busy: 0,
      })),
      diskFreeBytes: Number.MAX_SAFE_INTEGER,
      store: "rw",
      slots: { total: deps.slots, busy: 0 },
      queue: 0,
      loopDelayMs: 0,
      isAccepting: true,
    };
  }

  peers(): readonly PeerView[] {
    const peers = this.#deps.directory.peers();
    const own = this.#own(peers.find(({ isSelf }) => isSelf));
    return [own, ...peers.filter(({ isSelf }) => !isSelf)];
  }

  nameOf(peer: PeerId): string {
    if (peer === this.self) return this.#deps.name;
    return peerName(this.#deps.directory.get(peer), peer);
  }

  machineNow(): MachineNow {
    const load = this.#deps.directory.get(this.self)?.load ?? this.#startLoad;
    return {
      memFreeBytes: load.memFreeBytes,
      gpus: load.gpus
        .filter((gpu) => gpu.memFreeBytes >= GPU_FREE_SHARE_MIN * gpu.memBytes)
        .map(({ uuid }) => uuid),
    };
  }

  #own(view: PeerView | undefined): PeerView {
    const load = view?.load ?? this.#startLoad;
    const { name, slots } = this.#deps;
    return {
      addresses: [],
      isConnected: true,
      ...view,
      id: this.self,
      isSelf: true,
      state: "alive",
      profile: view?.profile ?? {
        name,
        version: "",
        roles: ["work", "submit"],
        labels: {},
        platform: "",
        abi: "",
      },
      load: {
        ...load,
        slots: { ...load.slots, total: slots },
        isAccepting: load.isAccepting && !this.isDraining,
      },
    };
  }
}
