/**
 * What the desk of some codes knows: who has runs with them, and who runs which task. Pure. Everything in it is a lease: who says
 * nothing more is forgotten, so a lost message delays somebody and never holds him for ever.
 */
import type { CodeId, MemoKey } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import {
  DESK_CLAIMS_MAX,
  DESK_CODES_MAX,
  DESK_USERS_MAX,
  LEASE_MS,
  PAST_USER_MS,
} from "./sharing-limits.ts";

/** Keys of one code. */
export interface CodeKeys {
  readonly code: CodeId;
  readonly keys: readonly MemoKey[];
}

/** Those who wait for these keys may go on. */
export interface OverNotice {
  readonly to: PeerId;
  readonly by: PeerId;
  readonly keys: readonly MemoKey[];
  readonly isDone: boolean;
}

interface User {
  expiresAt: number;
  /** Knows that it is not alone, and claims. */
  isClaiming: boolean;
  leftAt: number | undefined;
}

interface Claim {
  readonly by: PeerId;
  expiresAt: number;
  readonly waiting: Set<PeerId>;
}

interface Code {
  readonly users: Map<PeerId, User>;
  readonly claims: Map<MemoKey, Claim>;
}

export class DeskMachine {
  readonly #codes = new Map<CodeId, Code>();
  #claimCount = 0;

  /** For tests: what is held, and nothing is where all have left. */
  get size(): { readonly codes: number; readonly claims: number } {
    return { codes: this.#codes.size, claims: this.#claimCount };
  }

  /** A user is there (still). Who was alone until now has to hand in what it runs: which peers, which codes. */
  use(from: PeerId, codes: readonly CodeId[], now: number): ReadonlyMap<PeerId, readonly CodeId[]> {
    const alone = new Map<PeerId, CodeId[]>();
    for (const code of codes) {
      const known = this.#touch(code, from, now);
      if (known === undefined) continue;
      const others = [...known.users].filter(([peer, user]) => peer !== from && isThere(user));
      const own = known.users.get(from);
      if (others.length === 0 || own === undefined) continue;
      own.isClaiming = true;
      for (const [peer, user] of others) {
        if (user.isClaiming) continue;
        alone.set(peer, [...(alone.get(peer) ?? []), code]);
      }
    }
    return alone;
  }

  /** What a user runs: of keys that nobody runs, or that it is known to run. */
  held(from: PeerId, held: readonly CodeKeys[], now: number): void {
    for (const { code, keys } of held) {
      const known = this.#touch(code, from, now);
      if (known === undefined) continue;
      const user = known.users.get(from);
      if (user !== undefined) user.isClaiming = true;
      for (const key of keys) this.#take(known, key, { from, now });
    }
  }

  /** Keys that others run: whoever asked waits for them from now on. */
  claim(from: PeerId, wanted: readonly CodeKeys[], now: number): MemoKey[] {
    const theirs: MemoKey[] = [];
    for (const { code, keys } of wanted) {
      const known = this.#touch(code, from, now);
      if (known === undefined) continue;
      for (const key of keys) {
        const claim = this.#take(known, key, { from, now });
        if (claim === undefined || claim.by === from) continue;
        claim.waiting.add(from);
        theirs.push(key);
      }
    }
    return theirs;
  }

  /** Who else has, or had a moment ago, runs with this code. */
  others(from: PeerId, code: CodeId, now: number): { users: PeerId[]; isShared: boolean } {
    const users = this.#codes.get(code)?.users ?? new Map<PeerId, User>();
    const others = [...users].filter(
      ([peer, { leftAt }]) =>
        peer !== from && (leftAt === undefined || now - leftAt < PAST_USER_MS),
    );
    return {
      users: others.map(([peer]) => peer),
      isShared: others.some(([, user]) => isThere(user)),
    };
  }

  settle(from: PeerId, settled: readonly CodeKeys[], isDone: boolean): OverNotice[] {
    const notices = new Notices(from, isDone);
    for (const { code, keys } of settled) {
      const claims = this.#codes.get(code)?.claims;
      for (const key of keys) if (claims?.get(key)?.by === from) this.#free(claims, key, notices);
    }
    return notices.all();
  }

  /** Its runs with these codes have ended. */
  leave(from: PeerId, codes: readonly CodeId[], now: number): OverNotice[] {
    const notices = new Notices(from, false);
    for (const code of codes) {
      const known = this.#codes.get(code);
      const user = known?.users.get(from);
      if (known === undefined || user === undefined) continue;
      user.leftAt = now;
      user.isClaiming = false;
      this.#freeAll(known.claims, from, notices);
    }
    return notices.all();
  }

  /** Its process is no more: what it ran is for others to run. */
  gone(peer: PeerId, now: number): OverNotice[] {
    const codes = [...this.#codes].filter(([, { users }]) => users.has(peer));
    for (const [, { claims }] of codes)
      for (const { waiting } of claims.values()) waiting.delete(peer);
    return this.leave(
      peer,
      codes.map(([code]) => code),
      now,
    );
  }

  /** Forgets who and what was not heard of for too long. */
  expire(now: number): OverNotice[] {
    const notices: OverNotice[] = [];
    for (const [code, { users, claims }] of this.#codes) {
      for (const [key, claim] of claims) {
        if (claim.expiresAt > now) continue;
        const late = new Notices(claim.by, false);
        this.#free(claims, key, late);
        notices.push(...late.all());
      }
      for (const [peer, { expiresAt, leftAt }] of users)
        if (leftAt === undefined ? expiresAt <= now : now - leftAt >= PAST_USER_MS)
          users.delete(peer);
      if (users.size === 0 && claims.size === 0) this.#codes.delete(code);
    }
    return notices;
  }

  /** Undefined where no more fits: then nothing is shared. */
  #touch(code: CodeId, from: PeerId, now: number): Code | undefined {
    let known = this.#codes.get(code);
    if (known === undefined) {
      if (this.#codes.size >= DESK_CODES_MAX) return undefined;
      this.#codes.set(code, (known = { users: new Map(), claims: new Map() }));
    }
    const user = known.users.get(from);
    if (user !== undefined) {
      user.expiresAt = now + LEASE_MS;
      user.leftAt = undefined;
    } else if (known.users.size >= DESK_USERS_MAX) return undefined;
    else known.users.set(from, { expiresAt: now + LEASE_MS, isClaiming: false, leftAt: undefined });
    return known;
  }

  /** The claim that stands now: its own, or that of whoever was first. */
  #take(
    { claims }: Code,
    key: MemoKey,
    { from, now }: { readonly from: PeerId; readonly now: number },
  ): Claim | undefined {
    const claim = claims.get(key);
    if (claim !== undefined) {
      if (claim.by === from) claim.expiresAt = now + LEASE_MS;
      return claim;
    }
    if (this.#claimCount >= DESK_CLAIMS_MAX) return undefined;
    this.#claimCount++;
    claims.set(key, { by: from, expiresAt: now + LEASE_MS, waiting: new Set() });
    return undefined;
  }

  #freeAll(claims: Map<MemoKey, Claim>, by: PeerId, notices: Notices): void {
    for (const [key, claim] of claims) {
      claim.waiting.delete(by);
      if (claim.by === by) this.#free(claims, key, notices);
    }
  }

  #free(claims: Map<MemoKey, Claim>, key: MemoKey, notices: Notices): void {
    const claim = claims.get(key);
    if (claim === undefined) return;
    claims.delete(key);
    this.#claimCount--;
    for (const peer of claim.waiting) notices.add(peer, key);
  }
}

class Notices {
  readonly #by: PeerId;
  readonly #isDone: boolean;
  readonly #keys = new Map<PeerId, MemoKey[]>();

  constructor(by: PeerId, isDone: boolean) {
    this.#by = by;
    this.#isDone = isDone;
  }

  add(to: PeerId, key: MemoKey): void {
    const keys = this.#keys.get(to);
    if (keys === undefined) this.#keys.set(to, [key]);
    else keys.push(key);
  }

  all(): OverNotice[] {
    return [...this.#keys].map(([to, keys]) => ({
      to,
      by: this.#by,
      keys,
      isDone: this.#isDone,
    }));
  }
}

function isThere({ leftAt }: User): boolean {
  return leftAt === undefined;
}
