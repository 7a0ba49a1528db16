import { useInfiniteQuery } from '@tanstack/react-query'
import { useCallback, useMemo, useRef, useState } from 'react'
import { Link, useLocation, useSearchParams } from 'wouter'
import { get, path } from '../api/client'
import type { LeadPage, LeadState } from '../api/types'
import { CellPicker } from '../cameras/CellPicker'
import { useWords } from '../i18n/words'
import { useCommands, type Command } from '../keys'
import { useLive } from '../live/hooks'
import { store } from '../live/store'
import { useMay } from '../session'
import { offered, type Offer } from './actions'
import { Decide } from './Decide'
import { useDesk, type Request } from './desk'
import { HighStrip } from './HighStrip'
import { LeadList } from './LeadList'
import { LeadPanel } from './LeadPanel'
import { Overview } from './Overview'
import { next, step, type Filter, type Selection } from './queue'
import { isTab, kinds, tabNames, tabs, usuallyAllowed, type Tab } from './states'
import { UndoBar } from './UndoBar'
import { useCounts } from './useCounts'
import { useLead } from './useLead'

/** useQueue is the list of one tab: what the gateway has, what the stream brings, in an order that holds still. */
function useQueue(tab: Tab, text: string, filter: Required<Filter>) {
  const live = useLive()
  const [held, setHeld] = useState(false)
  const [order, setOrder] = useState<{ key: string; ids: string[] }>({ key: '', ids: [] })

  const q = useInfiniteQuery({
    queryKey: ['leads', tab, filter],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const page = await get<LeadPage>(path(['leads'], {
        state: filter.state || tabs[tab].join(','), kind: filter.kind, cell: filter.cell, limit: 100, cursor: pageParam,
      }), signal)
      store.put(page.leads)
      return { next: page.next ?? '', oldest: page.leads.at(-1)?.id ?? '' }
    },
    getNextPageParam: (page) => page.next || undefined,
    staleTime: 60_000,
  })
  const last = q.data?.pages.at(-1)
  const floor = last?.next ? last.oldest : ''

  const key = [tab, text, filter.cell, filter.kind, filter.state].join('\n')
  const selection: Selection = { ...filter, tab, text, floor }
  const shown = order.key === key ? order.ids : []
  const view = next(shown, live.leads.values(), selection, held)
  // Kept during render: the order on the screen is what the next order is measured against.
  if (order.key !== key || view.ids !== order.ids) setOrder({ key, ids: view.ids })

  const more = useCallback(() => {
    if (q.hasNextPage && !q.isFetchingNextPage && !q.isError) void q.fetchNextPage()
  }, [q])
  const settle = useCallback(() => setOrder({ key: '', ids: [] }), [])
  return { view, setHeld, settle, more, loading: q.isPending, failed: q.isError }
}

export function WallPage({ id }: { id?: string }) {
  const { t } = useWords()
  const [, go] = useLocation()
  const [params, setParams] = useSearchParams()
  const asked = params.get('tab')
  const tab: Tab = isTab(asked) ? asked : 'triage'
  const text = params.get('q') ?? ''
  const asks = params.get('state') ?? ''
  const filter = {
    cell: params.get('cell') ?? '', kind: params.get('kind') ?? '',
    // A state of another tab narrows nothing here.
    state: (tabs[tab] as readonly string[]).includes(asks) ? asks : '',
  }
  const narrowed = filter.cell !== '' || filter.kind !== '' || filter.state !== ''
  const { view, setHeld, settle, more, loading, failed } = useQueue(tab, text, filter)
  const counts = useCounts()
  const search = useRef<HTMLInputElement>(null)
  const tail = params.toString() ? '?' + params.toString() : ''

  const select = useCallback((to: string | undefined) => {
    go((to ? `/leads/${encodeURIComponent(to)}` : '/') + tail)
  }, [go, tail])

  const desk = useLeadDesk(id)
  const [marks, setMarks] = useState(true)
  // Which picture is shown belongs to one lead: the next one begins at its first.
  const [picture, setPicture] = useState({ of: id, at: 0 })
  const at = picture.of === id ? picture.at : 0
  const turn = (d: number) => {
    const last = (desk.lead?.evidence.length ?? 1) - 1
    setPicture({ of: id, at: Math.max(0, Math.min(last, at + d)) })
  }

  const move = (c: Command) => {
    const d = { next: 1, previous: -1, first: -Infinity, last: Infinity }[c as 'next']
    const to = step(view.ids, id, d)
    document.getElementById('queue')?.focus({ preventScroll: true })
    if (to && to !== id) select(to)
  }

  useCommands((c) => {
    switch (c) {
      case 'next': case 'previous': case 'first': case 'last': move(c); return true
      case 'refresh': settle(); return true
      case 'search': search.current?.focus(); search.current?.select(); return true
      case 'marks': setMarks((m) => !m); return true
      case 'nextPicture': turn(1); return true
      case 'previousPicture': turn(-1); return true
      case 'undo': desk.takeBack(); return true
      case 'escape':
        if (document.activeElement === search.current) document.getElementById('queue')?.focus()
        else if (id) select(undefined)
        return true
      default: return desk.command(c)
    }
  })

  const empty = failed ? t('queue.failed') : loading ? t('queue.loading') : text || narrowed ? t('queue.noMatch') : t(`queue.empty.${tab}`)
  return (
    <main className={id ? 'wall has-lead' : 'wall'}>
      <section className="side" aria-label={t('queue.title')}>
        <HighStrip selected={id} onSelect={select} />
        <nav className="tabs" aria-label={t('queue.tabs')}>
          {tabNames.map((name) => (
            <Link key={name} href={tabHref(name, id, { text, cell: filter.cell, kind: filter.kind })} className="tab" aria-current={name === tab ? 'page' : undefined}>
              {t(`tab.${name}`)}
              <span className="num count">{!counts ? '–' : counts[name] > 999 ? '999+' : counts[name]}</span>
            </Link>
          ))}
        </nav>
        <div className="search">
          <input ref={search} type="search" value={text} placeholder={t('queue.search')} aria-label={t('queue.search')}
            onChange={(e) => {
              const v = e.target.value
              setParams((p) => { if (v) p.set('q', v); else p.delete('q'); return p }, { replace: true })
            }}
            onKeyDown={(e) => {
              if (e.key === 'Enter' && !e.nativeEvent.isComposing) document.getElementById('queue')?.focus()
            }} />
          <kbd>/</kbd>
          {view.waiting > 0 && (
            <button type="button" className="pill" onClick={settle}>{t('queue.waiting', { count: view.waiting })}<kbd>R</kbd></button>
          )}
        </div>
        <Filters tab={tab} filter={filter} onChange={(name, v) => setParams((p) => { if (v) p.set(name, v); else p.delete(name); return p }, { replace: true })} />
        <p className="hidden" aria-live="polite">{counts ? t('queue.spoken', { count: counts.triage }) : ''}</p>
        <LeadList key={tab} view={view} tab={tab} selected={id} onSelect={select} onHold={setHeld} onMore={more} empty={empty} />
      </section>
      <section className="stage" aria-label={t('lead.title')}>
        {id ? <LeadPanel id={id} at={at} onAt={(i) => setPicture({ of: id, at: i })} marks={marks} onMarks={setMarks} offers={desk.offers} onOffer={desk.choose} onBack={() => select(undefined)} /> : <Overview />}
        <UndoBar />
      </section>
      {desk.asking && desk.lead && (
        <Decide offer={desk.asking} lead={desk.lead} onDecide={desk.decide} onClose={desk.cancel} />
      )}
    </main>
  )
}

/** Filters narrow the queue by place, kind and state. */
function Filters({ tab, filter, onChange }: { tab: Tab; filter: Required<Filter>; onChange: (name: keyof Filter, v: string) => void }) {
  const { t, kind, leadState } = useWords()
  const states = tabs[tab] as readonly LeadState[]
  return (
    <div className="queue-filters" role="group" aria-label={t('queue.filters')}>
      <CellPicker cell={filter.cell} onChange={(v) => onChange('cell', v)} />
      <select aria-label={t('queue.byKind')} value={filter.kind} onChange={(e) => onChange('kind', e.target.value)}>
        <option value="">{t('queue.allKinds')}</option>
        {kinds.map((k) => <option key={k} value={k}>{kind(k)}</option>)}
      </select>
      {states.length > 1 && (
        <select aria-label={t('cameras.byState')} value={filter.state} onChange={(e) => onChange('state', e.target.value)}>
          <option value="">{t('queue.allStates')}</option>
          {states.map((s) => <option key={s} value={s}>{leadState(s)}</option>)}
        </select>
      )}
    </div>
  )
}

function tabHref(tab: Tab, id: string | undefined, keep: { text: string; cell: string; kind: string }): string {
  const p = new URLSearchParams()
  if (tab !== 'triage') p.set('tab', tab)
  if (keep.text) p.set('q', keep.text)
  if (keep.cell) p.set('cell', keep.cell)
  if (keep.kind) p.set('kind', keep.kind)
  const tail = p.toString()
  return (id ? `/leads/${encodeURIComponent(id)}` : '/') + (tail ? '?' + tail : '')
}

/** useLeadDesk joins the lead on the screen with what may be done to it, by button and by key. */
function useLeadDesk(id: string | undefined) {
  const may = useMay('transition')
  const { lead, detail } = useLead(id)
  const { move, triage, takeBack } = useDesk()
  const [asking, setAsking] = useState<Offer>()
  // What the sheet asks about stays what it was opened for.
  const [askedOf, setAskedOf] = useState<string>()

  const offers = useMemo(() => {
    if (!lead || !may) return []
    const fresh = detail && detail.lead.version === lead.version && detail.lead.state === lead.state
    return offered(lead.state, fresh ? detail.allowed : usuallyAllowed(lead.state))
  }, [lead, detail, may])

  const act = (o: Offer, r: Request) => {
    if (!lead) return
    if (lead.state === 'raised' && (o.to === 'accepted' || o.to === 'rejected')) triage(lead, o.to, r)
    else void move(lead, o.to, r)
  }
  const choose = (o: Offer) => {
    // A transition needs the confirmed version; the moment before it is here passes without a key.
    if (!lead || store.pending(lead.id)) return
    if (o.ask === 'nothing') act(o, {})
    else {
      setAskedOf(lead.id)
      setAsking(o)
    }
  }
  const cancel = () => setAsking(undefined)
  return {
    lead, offers, choose, cancel,
    asking: asking && askedOf === lead?.id ? asking : undefined,
    takeBack: () => void takeBack(),
    decide: (r: Request) => {
      if (asking) act(asking, r)
      cancel()
    },
    command: (c: Command) => {
      const o = offers.find((o) => o.command === c)
      if (o) choose(o)
      return o !== undefined
    },
  }
}
