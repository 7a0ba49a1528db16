import { useState } from 'react'
import type { Lead, Order, OrderState } from '../api/types'
import { departmentName, useWords } from '../i18n/words'
import { useMay, useMe } from '../session'
import { Clock } from '../ui/Age'
import { useWorks } from './works'

/** nextOf are the steps that a department may report next; a copy is only taken note of. */
export function nextOf(o: Pick<Order, 'state' | 'part'>): OrderState[] {
  if (o.part === 'copy') return o.state === 'sent' ? ['acknowledged'] : []
  switch (o.state) {
    case 'sent': return ['acknowledged', 'returned']
    case 'acknowledged': return ['on_scene', 'done', 'returned']
    case 'on_scene': return ['done', 'returned']
    default: return []
  }
}

/** Orders lists the orders of a lead and takes down what departments say. */
export function Orders({ lead }: { lead: Lead }) {
  const { t } = useWords()
  if (lead.orders.length === 0) return null
  return (
    <section className="card">
      <h2>{t('lead.orders')}</h2>
      <ul className="orders">
        {lead.orders.map((o) => <OneOrder key={o.id} lead={lead} order={o} />)}
      </ul>
    </section>
  )
}

/** rest is how long an order takes no other word, in ms. */
const rest = 1000

/** OneOrder is an order with what its department may say next. */
export function OneOrder({ lead, order }: { lead: Lead; order: Order }) {
  const { t, orderState, orderDo, part } = useWords()
  const me = useMe()
  const may = useMay('answer')
  const { busy: sending, order: report } = useWorks(lead)
  const [words, setWords] = useState('')
  // After each word the buttons are others, at the same place: the second half of
  // a double click must not press the next one.
  const [resting, setResting] = useState(false)
  const busy = sending || resting
  const next = may ? nextOf(order) : []
  const say = (to: OrderState) => {
    const said = words.trim()
    // Returning needs its reason; everything else may go without words.
    void report(order.id, to, to === 'returned' ? { reason: said } : { note: said || undefined }).then((ok) => {
      if (!ok) return
      setWords('')
      setResting(true)
      setTimeout(() => setResting(false), rest)
    })
  }
  return (
    <li className="order">
      <div className="order-head">
        <b>{departmentName(me, order.department)}</b>
        <span className="muted">{part(order.part)}</span>
        <span className="tag">{orderState(order.state)}</span>
        <Clock at={order.changed_at} />
      </div>
      {order.reason && <div className="muted">{order.reason}</div>}
      {order.feedback && <div>{order.feedback}</div>}
      {next.length > 0 && (
        <div className="order-next">
          <input value={words} onChange={(e) => setWords(e.target.value)} maxLength={66} aria-label={t('order.words')} placeholder={t('order.words')} />
          {next.map((to) => (
            <button key={to} type="button" className="button" disabled={busy || to === 'returned' && !words.trim()} onClick={() => say(to)}>{orderDo(to)}</button>
          ))}
          <button type="button" className="button" disabled={busy || !words.trim()} onClick={() => say(order.state)}>{t('act.feedback')}</button>
        </div>
      )}
    </li>
  )
}
