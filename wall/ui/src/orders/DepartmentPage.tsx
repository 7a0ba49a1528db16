import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { get, path } from '../api/client'
import type { LeadOrder, OrderPage, OrderState } from '../api/types'
import { departmentName, useWords } from '../i18n/words'
import { said } from '../i18n'
import { Clocks } from '../leads/Clocks'
import { OneOrder } from '../leads/Orders'
import { cellPath } from '../leads/place'
import { useMe } from '../session'
import { Clock } from '../ui/Age'
import { SeverityMark } from '../ui/Icons'

const open: OrderState[] = ['sent', 'acknowledged', 'on_scene']
const over: OrderState[] = ['done', 'returned']

/** DepartmentPage is what a department sees: its own orders, and what it says of them. */
export function DepartmentPage() {
  const { t } = useWords()
  const me = useMe()
  const [done, setDone] = useState(false)
  const q = useInfiniteQuery({
    queryKey: ['orders', done],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => get<OrderPage>(path(['orders'], { state: (done ? over : open).join(','), limit: 50, cursor: pageParam }), signal),
    getNextPageParam: (page) => page.next || undefined,
    // A department has no stream of its own.
    refetchInterval: 5000,
  })
  const orders = q.data?.pages.flatMap((p) => p.orders) ?? []
  return (
    <main className="sheet-page">
      <div className="filters">
        <h1>{t('orders.title', { department: departmentName(me, me.user.department ?? '') })}</h1>
        <button type="button" className="state-tab" aria-pressed={!done} onClick={() => setDone(false)}>{t('orders.open')}</button>
        <button type="button" className="state-tab" aria-pressed={done} onClick={() => setDone(true)}>{t('orders.over')}</button>
      </div>
      <ul className="cards">
        {orders.map((o) => <li key={o.order.id} className="card"><Task of={o} /></li>)}
      </ul>
      {orders.length === 0 && <p className="muted list-note" role="status">{q.isError ? t('orders.failed') : q.isPending ? t('orders.loading') : t('orders.none')}</p>}
      {q.hasNextPage && (
        <button type="button" className="button more" disabled={q.isFetchingNextPage} onClick={() => void q.fetchNextPage()}>{t('cameras.more')}</button>
      )}
    </main>
  )
}

function Task({ of: { lead, order } }: { of: LeadOrder }) {
  const { t, kind, severity } = useWords()
  return (
    <>
      <h2>
        <SeverityMark severity={lead.severity} /> <span className={`sev-${lead.severity}`}>{severity(lead.severity)}</span> {kind(lead.kind)} <span className="num muted">#{lead.number}</span>
      </h2>
      <dl className="facts">
        <dt>{t('lead.camera')}</dt><dd>{lead.camera.name} <span className="muted num">{lead.camera.id}</span></dd>
        <dt>{t('lead.place')}</dt><dd>{cellPath(lead.grid) || t('lead.noPlace')}</dd>
        <dt>{t('lead.raised')}</dt><dd><Clock at={lead.raised_at} /> · {lead.ended_at ? t('lead.ended') : t('lead.running')}</dd>
        <dt>{t('lead.condition')}</dt><dd>{said(lead.summary)}</dd>
      </dl>
      <ul className="orders"><OneOrder lead={lead} order={order} /></ul>
      <Clocks lead={lead} />
    </>
  )
}
