import { useSyncExternalStore } from 'react'

export type Notice = { id: number; tone: 'info' | 'bad'; text: string }

let notices: readonly Notice[] = []
let count = 0
const listeners = new Set<() => void>()

function set(next: readonly Notice[]) {
  notices = next
  for (const f of [...listeners]) f()
}

/** notify shows a sentence for a while: long enough to read twice. */
export function notify(tone: Notice['tone'], text: string) {
  const id = ++count
  set([...notices.slice(-3), { id, tone, text }])
  setTimeout(() => set(notices.filter((n) => n.id !== id)), tone === 'bad' ? 12_000 : 6_000)
}

export function Notices() {
  const list = useSyncExternalStore(
    (f) => { listeners.add(f); return () => void listeners.delete(f) },
    () => notices,
  )
  return (
    <div className="notices" role="status" aria-live="polite">
      {list.map((n) => <p key={n.id} className={`notice notice-${n.tone}`}>{n.text}</p>)}
    </div>
  )
}
