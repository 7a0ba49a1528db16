import { path } from './path'
import type { LeadState, Problem as ProblemBody } from './types'

/** Problem is an RFC 9457 answer, or a request that got no answer at all (status 0). */
export class Problem extends Error {
  readonly status: number
  /** One of the gateway's codes, or "unreachable" without an answer. */
  readonly code: string
  /** What a stale transition met: where the lead stands, and who brought it there. */
  readonly state?: LeadState
  readonly version?: number
  readonly owner?: string

  constructor(status: number, body: Partial<ProblemBody> = {}) {
    super(body.detail ?? body.title ?? '')
    this.name = 'Problem'
    this.status = status
    this.code = body.code ?? (status === 0 ? 'unreachable' : 'internal')
    this.state = body.state
    this.version = body.version
    this.owner = body.owner
  }
}

export { path } from './path'

async function problemOf(response: Response): Promise<Problem> {
  return new Problem(response.status, (await response.json().catch(() => ({}))) as Partial<ProblemBody>)
}

let signedOut: () => void = () => {}

/** onSignedOut sets what happens when the gateway no longer knows the session. */
export function onSignedOut(f: () => void) {
  signedOut = f
}

async function send<T>(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let response: Response
  try {
    response = await fetch(url, {
      method,
      signal,
      credentials: 'same-origin',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch (e) {
    if (signal?.aborted) throw e
    throw new Problem(0)
  }
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T
  if (response.status === 401 && !url.endsWith('/login')) signedOut()
  throw await problemOf(response)
}

export const get = <T>(url: string, signal?: AbortSignal) => send<T>('GET', url, undefined, signal)
export const post = <T>(url: string, body: unknown = {}) => send<T>('POST', url, body)

/** evidenceURL is the address of a lead's picture; every request for it is audited. */
export const evidenceURL = (lead: string, sha256: string) => path(['evidence', lead, sha256 + '.jpg'])

/** stillURL is the address of a camera's newest picture; every request for it is audited. */
export const stillURL = (camera: string) => path(['cameras', camera, 'still.jpg'], { purpose: 'patrol' })

/**
 * picture fetches an image as a data URL. An image element alone could not say
 * why a picture is withheld, and would not fetch one address twice.
 */
export async function picture(url: string, signal?: AbortSignal): Promise<string> {
  let response: Response
  try {
    response = await fetch(url, { credentials: 'same-origin', signal })
  } catch (e) {
    if (signal?.aborted) throw e
    throw new Problem(0)
  }
  if (response.status === 401) signedOut()
  if (!response.ok) throw await problemOf(response)
  const type = response.headers.get('Content-Type') ?? ''
  if (!type.startsWith('image/jpeg')) throw new Problem(response.status, { detail: type })
  const blob = await response.blob()
  return new Promise((done, fail) => {
    const reader = new FileReader()
    reader.onload = () => done(reader.result as string)
    reader.onerror = () => fail(new Problem(0))
    reader.readAsDataURL(blob)
  })
}
