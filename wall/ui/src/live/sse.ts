// A reader of server-sent events (WHATWG HTML, section 9.2) over fetch.
//
// The browser's own EventSource hides two things that an officer must not be
// kept from: the heartbeat, without which a dead connection looks like a quiet
// night, and the status, without which an ended session looks like an outage.

export type Message = { event: string; data: string; id: string }

/** Parser turns the text of an event stream, cut anywhere, into messages. */
export class Parser {
  private rest = ''
  private event = ''
  private data: string[] = []
  private id = ''

  push(text: string): Message[] {
    const out: Message[] = []
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/)
    this.rest = lines.pop() ?? ''
    for (const line of lines) this.line(line, out)
    return out
  }

  private line(line: string, out: Message[]) {
    if (line === '') {
      if (this.data.length > 0) out.push({ event: this.event || 'message', data: this.data.join('\n'), id: this.id })
      this.event = ''
      this.data = []
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'event') this.event = value
    else if (name === 'data') this.data.push(value)
    else if (name === 'id' && !value.includes('\0')) this.id = value
  }
}

export type Link = 'connecting' | 'open' | 'lost' | 'signed-out'

export type Options = {
  url: string
  onMessage: (m: Message) => void
  onLink: (link: Link) => void
  /** onHeard is told of every byte, heartbeats included. */
  onHeard: () => void
  signal: AbortSignal
  /** silenceMs without a byte ends a connection; three missed heartbeats by default. */
  silenceMs?: number
  fetch?: typeof fetch
  /** random is in 0..1, for the jitter between attempts. */
  random?: () => number
}

/** backoff is how long to wait before attempt n (from 0): 0.5 s doubling to 15 s, half of it random. */
export function backoff(n: number, random: number): number {
  const whole = Math.min(15_000, 500 * 2 ** n)
  return whole / 2 + (whole / 2) * random
}

/** follow keeps a stream open until the signal aborts or the session ends. */
export async function follow(o: Options): Promise<void> {
  const random = o.random ?? Math.random
  let last = ''
  let failures = 0
  o.onLink('connecting')
  while (!o.signal.aborted) {
    const opened = await attempt(o, last, (id) => { last = id })
    if (o.signal.aborted) return
    if (opened === 'signed-out') return o.onLink('signed-out')
    o.onLink('lost')
    failures = opened ? 0 : failures + 1
    await pause(backoff(failures, random()), o.signal)
  }
}

/** attempt reads one connection to its end and tells whether it had opened. */
async function attempt(o: Options, last: string, seen: (id: string) => void): Promise<boolean | 'signed-out'> {
  const stop = new AbortController()
  const end = () => stop.abort()
  o.signal.addEventListener('abort', end)
  let silence = setTimeout(end, o.silenceMs ?? 45_000)
  let opened = false
  try {
    const headers: Record<string, string> = { Accept: 'text/event-stream' }
    if (last) headers['Last-Event-ID'] = last
    const response = await (o.fetch ?? fetch)(o.url, {
      headers, signal: stop.signal, credentials: 'same-origin', cache: 'no-store',
    })
    if (response.status === 401) return 'signed-out'
    if (!response.ok || !response.body) return false
    opened = true
    o.onLink('open')
    o.onHeard()
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    const parser = new Parser()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return opened
      clearTimeout(silence)
      silence = setTimeout(end, o.silenceMs ?? 45_000)
      o.onHeard()
      for (const m of parser.push(value)) {
        if (m.id) seen(m.id)
        o.onMessage(m)
      }
    }
  } catch {
    return opened
  } finally {
    clearTimeout(silence)
    o.signal.removeEventListener('abort', end)
    stop.abort()
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const t = setTimeout(finish, ms)
    function finish() {
      clearTimeout(t)
      signal.removeEventListener('abort', finish)
      done()
    }
    signal.addEventListener('abort', finish)
  })
}
