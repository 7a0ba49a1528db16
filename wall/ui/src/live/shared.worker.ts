// One stream for all windows of a browser. HTTP/1.1 gives a browser six
// connections to a host: a desk with six windows, each with a stream of its
// own, would have none left to ask anything.
import { path } from '../api/path'
import { follow, type Link, type Message } from './sse'

/** News is what the worker tells a window. */
export type News = { link: Link } | { message: Message } | { heard: true }
/** Wish is what a window asks of the worker. */
export type Wish = 'follow' | 'leave'

const scope = globalThis as unknown as { onconnect: (e: MessageEvent) => void }
const windows = new Set<MessagePort>()
// The newest of each that is told only when it changes, for a window that joins later.
const latest = new Map<string, Message>()
let link: Link = 'connecting'
let following = false

function tell(news: News) {
  for (const w of windows) w.postMessage(news)
}

function start() {
  following = true
  latest.clear()
  void follow({
    url: path(['stream']),
    signal: new AbortController().signal, // the worker ends with its last window
    onHeard: () => tell({ heard: true }),
    onLink: (l) => {
      link = l
      if (l === 'signed-out') following = false
      tell({ link })
    },
    onMessage: (message) => {
      if (message.event === 'cameras' || message.event === 'canary') latest.set(message.event, message)
      tell({ message })
    },
  })
}

scope.onconnect = (e) => {
  const port = e.ports[0]!
  port.onmessage = (m: MessageEvent<Wish>) => {
    if (m.data === 'leave') return void windows.delete(port)
    windows.add(port)
    if (!following) return start()
    port.postMessage({ link } satisfies News)
    for (const message of latest.values()) port.postMessage({ message } satisfies News)
  }
}
