import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'wouter'
import { get, path, post, Problem } from '../api/client'
import type { Handover, HandoverList, LeadPage, Shelf, ShelfList } from '../api/types'
import { useWords } from '../i18n/words'
import { useNow } from '../live/hooks'
import { useMay, useMe } from '../session'
import { Clock, useSpanWords } from '../ui/Age'
import { notify } from '../ui/notices'
import { Table } from './ReportPage'

const openStates = 'raised,accepted,dispatched,acknowledged,resolved,transferred,reopened'

/** ShiftPage is the change of shifts, and what the shift has quieted. */
export function ShiftPage() {
  const { t } = useWords()
  const may = useMay('transition')
  return (
    <main className="sheet-page">
      <div className="filters"><h1>{t('shift.title')}</h1></div>
      <div className="report">
        {may && <Offer />}
        <Handovers may={may} />
        <Shelves may={may} />
      </div>
    </main>
  )
}

/** useSay sends what a person decides, and says why when it is refused. */
function useSay(what: string) {
  const client = useQueryClient()
  const { t, problem } = useWords()
  const [busy, setBusy] = useState(false)
  const say = async (parts: string[], body?: unknown) => {
    setBusy(true)
    try {
      await post(path(parts), body)
      return true
    } catch (e) {
      const p = e instanceof Problem ? e : new Problem(0)
      notify('bad', t('shift.failed', { why: problem(p.code) }))
      return false
    } finally {
      setBusy(false)
      void client.invalidateQueries({ queryKey: [what] })
    }
  }
  return { busy, say }
}

function Offer() {
  const { t, kind, leadState } = useWords()
  const me = useMe()
  const { busy, say } = useSay('handovers')
  const [note, setNote] = useState('')
  const q = useQuery({
    queryKey: ['mine', me.user.name],
    queryFn: ({ signal }) => get<LeadPage>(path(['leads'], { owner: me.user.name, state: openStates, limit: 500 }), signal),
    refetchInterval: 10_000,
  })
  const mine = q.data?.leads ?? []
  return (
    <section className="card">
      <h2>{t('shift.mine')} <span className="num">{q.data ? mine.length : '–'}{q.data?.next && '+'}</span></h2>
      {mine.length > 0 && (
        <ul className="failing">
          {mine.map((l) => (
            <li key={l.id}><Link href={`/leads/${encodeURIComponent(l.id)}`}><span className="num">#{l.number}</span> {kind(l.kind)}</Link> {l.camera.name} <span className="muted">{leadState(l.state)}</span></li>
          ))}
        </ul>
      )}
      <form className="offer" onSubmit={(e) => {
        e.preventDefault()
        void say(['handovers'], { note: note.trim() || undefined }).then((ok) => { if (ok) setNote('') })
      }}>
        <textarea value={note} onChange={(e) => setNote(e.target.value)} maxLength={660} rows={3} aria-label={t('shift.note')} placeholder={t('shift.note')} />
        <p className="muted small">{t('decide.noNames')}</p>
        <button type="submit" className="button primary" disabled={busy}>{t('shift.offer')}</button>
      </form>
    </section>
  )
}

function Handovers({ may }: { may: boolean }) {
  const { t } = useWords()
  const q = useQuery({
    queryKey: ['handovers'],
    queryFn: ({ signal }) => get<HandoverList>(path(['handovers'], { limit: 20 }), signal),
    refetchInterval: 5000,
  })
  const all = q.data?.handovers ?? []
  return (
    <section className="card">
      <h2>{t('shift.handovers')}</h2>
      {all.length === 0 && <p className="muted" role="status">{q.isError ? t('shift.unread') : q.isPending ? t('report.loading') : t('shift.noHandovers')}</p>}
      <ol className="handovers">{all.map((h) => <li key={h.id}><OneHandover handover={h} may={may} /></li>)}</ol>
    </section>
  )
}

function OneHandover({ handover: h, may }: { handover: Handover; may: boolean }) {
  const { t, leadState } = useWords()
  const me = useMe()
  const { busy, say } = useSay('handovers')
  const sign = () => void say(['handovers', h.id, 'signature'])
  return (
    <article>
      <div className="signatures">
        <span><span className="muted">{t('shift.from')}</span> <b>{h.from}</b> <Clock at={h.offered_at} /></span>
        <span aria-hidden="true">→</span>
        {h.taken_at
          ? <span><span className="muted">{t('shift.to')}</span> <b>{h.to}</b> <Clock at={h.taken_at} /></span>
          : <span className="blind">{t('shift.unsigned')}</span>}
        {may && !h.taken_at && h.from !== me.user.name && (
          <button type="button" className="button primary" disabled={busy} onClick={sign}>{t('shift.sign')}</button>
        )}
      </div>
      {h.note && <p className="wrap">{h.note}</p>}
      <p className="muted small">
        {h.leads.length === 0 ? t('shift.noLeads') : h.leads.map((l) => (
          <span key={l.id} className="handed"><Link href={`/leads/${encodeURIComponent(l.id)}`} className="num">#{l.number}</Link> {leadState(l.state)}</span>
        ))}
      </p>
    </article>
  )
}

function Shelves({ may }: { may: boolean }) {
  const { t, kind } = useWords()
  const now = useNow()
  const words = useSpanWords()
  const { busy, say } = useSay('shelves')
  const q = useQuery({
    queryKey: ['shelves'],
    queryFn: ({ signal }) => get<ShelfList>(path(['shelves']), signal),
    refetchInterval: 10_000,
  })
  const source = (s: Shelf) => (
    <>
      {s.camera && <Link href={`/cameras/${encodeURIComponent(s.camera)}`} className="num">{s.camera}</Link>} {[s.zone, s.rule && kind(s.rule), s.kind && kind(s.kind)].filter(Boolean).join(' · ')}
    </>
  )
  return (
    <Table title={t('shift.shelves')} none={q.isError ? t('shift.unread') : q.isPending ? t('report.loading') : t('shift.noShelves')}
      head={[t('shift.source'), t('decide.reason'), t('shift.by'), t('shift.until'), '']}
      rows={(q.data?.shelves ?? []).map((s) => [
        source(s), s.reason, s.by,
        <span key="until"><Clock at={s.to} /> <span className="muted">{t('lead.left', { span: words((Date.parse(s.to) - now) / 1000) })}</span></span>,
        may ? <button key="end" type="button" className="quiet" disabled={busy} onClick={() => void say(['shelves', s.id, 'end'])}>{t('shift.end')}</button> : '',
      ])} />
  )
}
