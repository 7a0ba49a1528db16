import { get, path } from '../api/client'
import type { Canary, Lead, LeadPage, Me, StateCounts } from '../api/types'
import { setGatewayClock } from './hooks'
import type { News, Wish } from './shared.worker'
import { follow, type Message } from './sse'
import { store } from './store'

/** Reaction is what else must happen when the stream says so. */
export type Reaction = {
  onReset: () => void
  onSignedOut: () => void
  /** onReturn is told when a lost stream is open again: the gateway may be another one now. */
  onReturn: () => void
}

/** connect follows the gateway's stream into the store; the answer ends it. */
export function connect(r: Reaction): () => void {
  let wasLost = false
  const take = (news: News) => {
    if ('heard' in news) store.heard = Date.now()
    else if ('message' in news) receive(news.message, r)
    else {
      store.setLink(news.link)
      if (news.link === 'signed-out') r.onSignedOut()
      if (news.link === 'open') {
        store.heard = Date.now()
        if (wasLost) {
          void catchUp()
          r.onReturn()
        }
      }
      wasLost = news.link === 'lost'
    }
  }
  return typeof SharedWorker === 'function' ? join(take) : alone(take)
}

/** join listens to the stream that all windows share. */
function join(take: (news: News) => void): () => void {
  const { port } = new SharedWorker(new URL('./shared.worker.ts', import.meta.url), { type: 'module', name: 'patrol-stream' })
  port.onmessage = (m: MessageEvent<News>) => take(m.data)
  const say = (wish: Wish) => port.postMessage(wish)
  const leave = () => say('leave')
  const back = (e: PageTransitionEvent) => { if (e.persisted) say('follow') }
  addEventListener('pagehide', leave)
  addEventListener('pageshow', back)
  say('follow')
  return () => {
    removeEventListener('pagehide', leave)
    removeEventListener('pageshow', back)
    leave()
    port.close()
  }
}

/** alone follows a stream of this window's own, where browsers share no workers. */
function alone(take: (news: News) => void): () => void {
  const stop = new AbortController()
  void follow({
    url: path(['stream']),
    signal: stop.signal,
    onHeard: () => take({ heard: true }),
    onMessage: (message) => take({ message }),
    onLink: (link) => take({ link }),
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
