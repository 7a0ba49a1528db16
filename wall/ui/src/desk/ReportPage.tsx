import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Link, useSearchParams } from 'wouter'
import { get, path } from '../api/client'
import type { LeadState, Spread, Statistics, Tally } from '../api/types'
import { departmentName, reasonWords, useWords } from '../i18n/words'
import { gatewayNow } from '../live/hooks'
import { useMe } from '../session'
import { Clock, useSpanWords } from '../ui/Age'

/** periods are what a report may be of, in hours before now. */
const periods = { day: 24, week: 7 * 24, month: 30 * 24 } as const
type Period = keyof typeof periods
const periodNames = Object.keys(periods) as Period[]
const isPeriod = (s: string | null): s is Period => s !== null && s in periods

/** states are the ones that leads leave, in the order of a lead's life. */
const states: LeadState[] = ['raised', 'accepted', 'dispatched', 'acknowledged', 'resolved', 'transferred', 'closed', 'reopened', 'rejected']

/** ReportPage is what a chief asks in the morning: what came of the leads, how long it took, and which rules are wrong most. */
export function ReportPage() {
  const { t } = useWords()
  const [params, setParams] = useSearchParams()
  const asked = params.get('of')
  const period: Period = isPeriod(asked) ? asked : 'day'
  const q = useQuery({
    queryKey: ['statistics', period],
    queryFn: ({ signal }) => {
      const to = gatewayNow()
      return get<Statistics>(path(['statistics'], { from: new Date(to - periods[period] * 3_600_000).toISOString(), to: new Date(to).toISOString() }), signal)
    },
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  })
  const s = q.data
  return (
    <main className="sheet-page">
      <div className="filters">
        <h1>{t('report.title')}</h1>
        {periodNames.map((p) => (
          <button key={p} type="button" className="state-tab" aria-pressed={p === period}
            onClick={() => setParams((old) => { old.set('of', p); return old }, { replace: true })}>{t(`report.of.${p}`)}</button>
        ))}
        {s && <span className="muted"><Clock at={s.from} day /> – <Clock at={s.to} day /></span>}
      </div>
      {s ? <Report s={s} /> : <p className="muted list-note" role="status">{q.isError ? t('report.failed') : t('report.loading')}</p>}
    </main>
  )
}

function Report({ s }: { s: Statistics }) {
  const { t, leadState, stage, quiet, kind, reason } = useWords()
  const me = useMe()
  const spread = useSpread()
  const left = states.filter((x) => s.stages[x])
  const breaches = Object.entries(s.breaches)
  const kept = Object.entries(s.suppressed)
  return (
    <div className="report">
      <dl className="figures">
        <Figure name={t('report.raised')} value={s.total.raised} />
        <Figure name={t('report.accepted')} value={s.total.accepted} />
        <Figure name={t('report.rejected')} value={s.total.rejected} />
        <Figure name={t('report.handled')} value={s.total.handled} />
        <Figure name={t('report.expired')} value={s.total.expired} />
        <Figure name={t('report.precision')} value={share(s.total.precision)} />
        <Figure name={t('report.rate')} value={share(s.total.rate)} />
      </dl>
      <Table title={t('report.cells')} head={[t('lead.place'), ...tallyHead(t)]} none={t('report.nothing')}
        rows={s.cells.map((c) => [c.name || c.cell || t('lead.noPlace'), ...tally(c)])} />
      <Table title={t('report.stages')} head={[t('camera.state'), t('report.left'), t('report.spread')]} none={t('report.nothing')}
        rows={left.map((x) => [leadState(x), s.stages[x]!.count, spread(s.stages[x]!)])} />
      <Table title={t('report.departments')} none={t('report.nothing')}
        head={[t('report.department'), t('report.orders'), t('report.done'), t('report.returned'), t('report.taken'), t('report.finished')]}
        rows={s.departments.map((d) => [departmentName(me, d.department), d.orders, d.done, d.returned, spread(d.acknowledge), spread(d.finish)])} />
      <Table title={t('report.noisiest')} head={[t('lead.rule'), t('lead.camera'), t('report.rejected'), t('report.precision'), t('report.why'), '']} none={t('report.nothing')}
        rows={s.noisiest.map((r) => [
          kind(r.rule), <Link key="camera" href={`/cameras/${encodeURIComponent(r.camera)}`} className="num">{r.camera}</Link>, r.rejected, share(r.precision),
          Object.entries(r.reasons).toSorted((a, b) => b[1] - a[1]).map(([code, n]) => `${reason(reasonWords(me, code))} ${n}`).join(', '),
          r.shelve ? <b key="hint" className="overdue">{t('report.shelve')}</b> : '',
        ])} />
      <div className="report-pair">
        <Table title={t('report.breaches')} head={[t('report.clock'), t('report.times')]} none={t('report.nothing')} rows={breaches.map(([k, n]) => [stage(k), n])} />
        <Table title={t('report.suppressed')} head={[t('report.by'), t('report.times')]} none={t('report.nothing')} rows={kept.map(([k, n]) => [quiet(k), n])} />
      </div>
    </div>
  )
}

function Figure({ name, value }: { name: string; value: number | string }) {
  return <div><dt>{name}</dt><dd className="num">{value}</dd></div>
}

const share = (x: number | undefined) => x === undefined ? '–' : `${Math.round(x * 100)} %`

const tallyHead = (t: ReturnType<typeof useWords>['t']) =>
  [t('report.raised'), t('report.accepted'), t('report.rejected'), t('report.handled'), t('report.expired'), t('report.precision'), t('report.rate')]
const tally = (x: Tally) => [x.raised, x.accepted, x.rejected, x.handled, x.expired, share(x.precision), share(x.rate)]

function useSpread() {
  const words = useSpanWords()
  return (s: Spread) => s.count === 0 ? '–' : `${words(s.p50_seconds)} / ${words(s.p95_seconds)}`
}

/** isFigure tells what stands better at the right of its column. */
const isFigure = (c: ReactNode) => typeof c === 'number' || typeof c === 'string' && /^(–|\d+ %)$/.test(c)

/** Table is a card with figures; the first column says of what they are. */
export function Table({ title, head, rows, none }: { title: string; head: string[]; rows: ReactNode[][]; none: string }) {
  return (
    <section className="card">
      <h2>{title}</h2>
      {rows.length === 0 ? <p className="muted">{none}</p> : (
        // A focusable frame, for who scrolls by keyboard.
        <div className="table-frame" tabIndex={0} role="region" aria-label={title}>
          <table className="table">
            <thead><tr>{head.map((h, i) => h ? <th key={i} scope="col" className={isFigure(rows[0]![i]) ? 'figure' : undefined}>{h}</th> : <td key={i} />)}</tr></thead>
            <tbody>
              {rows.map((r, i) => (
                <tr key={i}>{r.map((c, j) => j === 0
                  ? <th key={j} scope="row">{c}</th>
                  : <td key={j} className={isFigure(c) ? 'num figure' : 'num'}>{c}</td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}
