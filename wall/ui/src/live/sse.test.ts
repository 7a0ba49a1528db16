import { describe, expect, it, vi } from 'vitest'
import { backoff, follow, Parser, type Link, type Message } from './sse'

const text = 'retry: 2000\n\n: beat\n\nid: e1-1\nevent: lead\ndata: {"a":1}\n\nevent: two\r\ndata: x\r\ndata:  y\r\n\r\ndata: 线索\n\nid: lost\nevent: none\n\n'
const want: Message[] = [
  { id: 'e1-1', event: 'lead', data: '{"a":1}' },
  { id: 'e1-1', event: 'two', data: 'x\n y' },
  { id: 'e1-1', event: 'message', data: '线索' },
]

describe('Parser', () => {
  it('reads a stream', () => expect(new Parser().push(text)).toEqual(want))
  it('reads it the same however it is cut', () => {
    for (let i = 0; i <= text.length; i++) {
      const p = new Parser()
      expect([...p.push(text.slice(0, i)), ...p.push(text.slice(i))], `cut at ${i}`).toEqual(want)
    }
    const p = new Parser()
    expect([...text].flatMap((c) => p.push(c))).toEqual(want)
  })
  it('holds back what is not complete', () => expect(new Parser().push('data: half\n')).toEqual([]))
})

describe('backoff', () => {
  it('doubles to 15 s, half of it random', () => {
    expect([backoff(0, 0), backoff(0, 1), backoff(3, 0), backoff(20, 0), backoff(20, 1)]).toEqual([250, 500, 2000, 7500, 15_000])
  })
})

/** body is a response whose stream the test writes. */
function body() {
  let control!: ReadableStreamDefaultController<Uint8Array>
  const stream = new ReadableStream<Uint8Array>({ start: (c) => { control = c } })
  const encoder = new TextEncoder()
  return {
    response: { status: 200, ok: true, body: stream } as unknown as Response,
    write: (s: string) => control.enqueue(encoder.encode(s)),
    end: () => control.close(),
    signal: (s: AbortSignal) => s.addEventListener('abort', () => { try { control.error(s.reason) } catch { /* ended */ } }),
  }
}

describe('follow', () => {
  function run(answers: ((init: RequestInit) => Response)[]) {
    vi.useFakeTimers()
    const stop = new AbortController()
    const links: Link[] = []
    const messages: Message[] = []
    const inits: RequestInit[] = []
    const done = follow({
      url: '/stream', signal: stop.signal, random: () => 0, silenceMs: 45_000,
      onLink: (l) => links.push(l), onMessage: (m) => messages.push(m), onHeard: () => {},
      fetch: (async (_: string, init: RequestInit) => {
        inits.push(init)
        return answers[inits.length - 1]!(init)
      }) as typeof fetch,
    })
    return { stop, links, messages, inits, done }
  }

  it('comes back after a break and says what it saw last', async () => {
    const one = body()
    const two = body()
    const f = run([() => one.response, () => two.response])
    await vi.advanceTimersByTimeAsync(0)
    one.write('id: e-7\ndata: a\n\n')
    await vi.advanceTimersByTimeAsync(0)
    one.end()
    await vi.advanceTimersByTimeAsync(300)
    expect(f.links).toEqual(['connecting', 'open', 'lost', 'open'])
    expect(f.messages).toEqual([{ id: 'e-7', event: 'message', data: 'a' }])
    expect((f.inits[1]!.headers as Record<string, string>)['Last-Event-ID']).toBe('e-7')
    f.stop.abort()
    two.end()
    await f.done
    vi.useRealTimers()
  })

  it('takes silence for a break', async () => {
    const one = body()
    const two = body()
    const f = run([(init) => { one.signal(init.signal!); return one.response }, (init) => { two.signal(init.signal!); return two.response }])
    await vi.advanceTimersByTimeAsync(30_000)
    one.write(': \n\n')
    await vi.advanceTimersByTimeAsync(44_000)
    expect(f.links).toEqual(['connecting', 'open'])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(f.links).toEqual(['connecting', 'open', 'lost', 'open'])
    f.stop.abort()
    await f.done
    vi.useRealTimers()
  })

  it('ends when the session has', async () => {
    const f = run([() => ({ status: 401, ok: false }) as Response])
    await f.done
    expect(f.links).toEqual(['connecting', 'signed-out'])
    vi.useRealTimers()
  })
})
