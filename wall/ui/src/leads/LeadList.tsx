import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react'
import type { Lead } from '../api/types'
import { useWords } from '../i18n/words'
import { useLive } from '../live/hooks'
import { LeadRow, rowId } from './LeadRow'
import { anchored, slice, type View } from './queue'
import type { Tab } from './states'

type Props = {
  view: View
  tab: Tab
  selected?: string
  onSelect: (id: string) => void
  onHold: (held: boolean) => void
  onMore: () => void
  empty: string
}

/** measureRow is the height of a row in pixels: three lines of text, whose size grows with the screen. */
const measureRow = () => Math.round(5.6 * (parseFloat(getComputedStyle(document.documentElement).fontSize) || 15))

/** attended tells whether the officer is at an element: by focus, by the pointer, or in a sheet that came from there. */
function attended(el: HTMLElement): boolean {
  return el.contains(document.activeElement)
    || matchMedia('(hover: hover)').matches && el.matches(':hover')
    || document.querySelector('[role=dialog]') !== null
}

/**
 * useAttention tells when the officer comes to an element and, up to half a
 * second later, when they have left: a sheet gives the focus back with a delay.
 */
function useAttention(box: RefObject<HTMLElement | null>, tell: (there: boolean) => void): () => void {
  const timer = useRef<ReturnType<typeof setInterval>>(undefined)
  useEffect(() => () => clearInterval(timer.current), [])
  return useCallback(() => {
    tell(true)
    clearInterval(timer.current)
    timer.current = setInterval(() => {
      if (box.current && attended(box.current)) return
      clearInterval(timer.current)
      tell(false)
    }, 500)
  }, [box, tell])
}

/**
 * LeadList is a windowed list of its own: a grid with aria-activedescendant,
 * scrolled by row id. A general virtual list reuses the focused row's element
 * for another lead under live inserts, and an officer must never act on a lead
 * that slid under the hand.
 */
export function LeadList({ view, tab, selected, onSelect, onHold, onMore, empty }: Props) {
  const { t } = useWords()
  const live = useLive()
  const box = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(800)
  const [rowHeight, setRowHeight] = useState(measureRow)
  const attend = useAttention(box, onHold)
  const { ids } = view

  useEffect(() => {
    const el = box.current!
    const observer = new ResizeObserver(() => {
      setHeight(el.clientHeight)
      setRowHeight(measureRow())
    })
    observer.observe(el)
    return () => observer.disconnect()
  }, [])

  // Rows that came or went above must not move the row under the eye.
  const before = useRef<string[]>(ids)
  useLayoutEffect(() => {
    const el = box.current!
    if (before.current !== ids && el.scrollTop > 0) {
      el.scrollTop = anchored(el.scrollTop, rowHeight, before.current, ids, selected)
    }
    before.current = ids
  }, [ids, selected, rowHeight])

  // The selected row is brought into view when the selection moves.
  const at = selected === undefined ? -1 : ids.indexOf(selected)
  useLayoutEffect(() => {
    const el = box.current!
    if (at < 0) return
    const y = at * rowHeight
    if (y < el.scrollTop) el.scrollTop = y
    else if (y + rowHeight > el.scrollTop + el.clientHeight) el.scrollTop = y + rowHeight - el.clientHeight
    // Only a new selection scrolls, not a new place of the old one.
  }, [selected])

  const { from, to } = slice(ids.length, rowHeight, top, height)
  const indexes = Array.from({ length: to - from }, (_, i) => from + i)
  if (at >= 0 && (at < from || at >= to)) indexes.push(at)

  const needsMore = to >= ids.length - 5
  useEffect(() => { if (needsMore) onMore() }, [needsMore, ids.length, onMore])

  return (
    <div className="queue-box">
      <div
        ref={box}
        id="queue"
        className="queue"
        role="grid"
        tabIndex={0}
        aria-label={t(`tab.${tab}`)}
        aria-rowcount={ids.length}
        aria-activedescendant={at >= 0 ? rowId(selected!) : undefined}
        onScroll={(e) => setTop(e.currentTarget.scrollTop)}
        onFocus={attend}
        onPointerEnter={attend}
      >
        <div role="rowgroup" style={{ height: ids.length * rowHeight }}>
          {indexes.map((i) => {
            const lead: Lead | undefined = live.leads.get(ids[i]!)
            return lead && (
              <LeadRow key={lead.id} lead={lead} index={i} height={rowHeight} tab={tab} selected={lead.id === selected}
                pending={live.pending(lead.id)} onSelect={onSelect} />
            )
          })}
          {ids.length === 0 && (
            <div role="row" className="queue-empty"><div role="gridcell">{empty}</div></div>
          )}
        </div>
      </div>
    </div>
  )
}
