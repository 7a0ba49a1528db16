import { get, path } from '../api/client'
import type { Canary, Lead, LeadPage, Me, StateCounts } from '../api/types'
import { setGatewayClock } from './hooks'
import { follow, type Message } from './sse'
import { store } from './store'

/** Reaction is what else must happen when the stream says so. */
export type Reaction = { onReset: () => void; onSignedOut: () => void }

/** connect follows the gateway's stream into the store; the answer ends it. */
export function connect(r: Reaction): () => void {
  const stop = new AbortController()
  let wasLost = false
  void follow({
    url: path(['stream']),
    signal: stop.signal,
    onHeard: () => { store.heard = Date.now() },
    onMessage: (m) => receive(m, r),
    onLink: (link) => {
      store.setLink(link)
      if (link === 'signed-out') r.onSignedOut()
      if (link === 'open' && wasLost) void catchUp()
      wasLost = link === 'lost'
    },
  })
  return () => stop.abort()
}

/** receive takes one message. What does not parse is dropped: the next one may. */
export function receive(m: Message, r: Pick<Reaction, 'onReset'>) {
  if (m.event === 'reset') return r.onReset()
  let body: unknown
  try {
    body = JSON.parse(m.data)
  } catch {
    return
  }
  if (typeof body !== 'object' || body === null) return
  if (m.event === 'lead') store.put([body as Lead])
  else if (m.event === 'cameras') store.setCameras(body as StateCounts)
  else if (m.event === 'canary') store.setCanary(body as Canary)
}

/** catchUp asks for what a broken stream may have kept back. */
export async function catchUp() {
  const [me, raised] = await Promise.all([
    get<Me>(path(['me'])),
    get<LeadPage>(path(['leads'], { state: 'raised', limit: 200 })),
  ]).catch(() => [undefined, undefined] as const)
  if (me) {
    setGatewayClock(me.now)
    store.setCanary(me.canary)
  }
  if (raised) store.put(raised.leads)
}
