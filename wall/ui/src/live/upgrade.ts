// A page left open for weeks outlives the gateway that served it. Once the
// gateway serves other assets, the page loads itself again, when nobody is in
// the middle of something: what it shows is in its address.

const kept = 'patrol.reloaded'

/** assets names what a page is made of: its scripts and styles, whose names carry their content's hash. */
export function assets(html: string): string {
  return [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((m) => m[1]).sort().join(' ')
}

/** served is what the gateway's page is made of now, or undefined when it does not say. */
async function served(): Promise<string | undefined> {
  try {
    const answer = await fetch('/', { cache: 'no-store', credentials: 'same-origin' })
    if (!answer.ok) return undefined
    return assets(await answer.text()) || undefined
  } catch {
    return undefined
  }
}

/** busy tells whether somebody is in the middle of something that a new page would lose. */
export function busy(d: Document): boolean {
  if (d.querySelector('[role=dialog], .undo, .pending')) return true
  const at = d.activeElement
  return (at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement) && at.value !== ''
}

/** Upgrade looks whether the gateway serves another page, and loads it when the officer is free. */
export type Upgrade = {
  /** look asks the gateway now. */
  look: () => void
  stop: () => void
}

const checkEvery = 10 * 60_000
const tryEvery = 2_000

/** watchUpgrade looks every ten minutes, and whenever it is told to. */
export function watchUpgrade(reload = () => location.reload()): Upgrade {
  const mine = assets(new XMLSerializer().serializeToString(document.head))
  let waiting: ReturnType<typeof setInterval> | undefined

  async function look() {
    const now = await served()
    if (now === undefined || now === mine || waiting !== undefined) return
    // Something in between may serve two pages by turns: each is loaded once.
    if (sessionStorage.getItem(kept) === now) return
    waiting = setInterval(() => {
      if (busy(document)) return
      clearInterval(waiting)
      sessionStorage.setItem(kept, now)
      reload()
    }, tryEvery)
  }
  const regular = setInterval(() => void look(), checkEvery)
  return {
    look: () => void look(),
    stop: () => {
      clearInterval(regular)
      clearInterval(waiting)
    },
  }
}
