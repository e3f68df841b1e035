/**
 * Until when a session may answer without asking anybody.
 *
 * All authority belongs to a session, one run of a replica. The leader of the council ends it when
 * it has confirmed no renewal for `TTL_MS`; the session itself counts from the moment in which it
 * asked, and less by what two clocks can differ in their pace. So it stops before it is ended.
 * Nothing acknowledged rests on this: clocks guard only what is answered without a quorum.
 */

/** So long after the last renewal a session is ended. */
export const TTL_MS = 2000
/** What two clocks may differ in their pace. */
export const DRIFT = 0.1
/** Between renewals: several may be lost. */
export const RENEW_MS = 300
/** Longer than this without a sign of life from a part, and the session is not renewed. */
export const HEALTH_MS = TTL_MS / 2

/** Signs of life; times by a clock that goes on while the machine sleeps, in ms. */
export interface Health {
  /** The serving thread answered last. */
  readonly servedAt: number
  /** The sync that is under way was begun; undefined when there is none. */
  readonly syncingSince: number | undefined
}

/** Only a replica that can still serve and still write keeps what others could have. */
export function isHealthy({ servedAt, syncingSince }: Health, now: number): boolean {
  const isSyncing = syncingSince !== undefined && now - syncingSince > HEALTH_MS
  return now - servedAt <= HEALTH_MS && !isSyncing
}

/** @param askedAt when the renewal was asked for, not when it was confirmed */
export function validUntilOf(askedAt: number): number {
  return askedAt + TTL_MS * (1 - DRIFT)
}
