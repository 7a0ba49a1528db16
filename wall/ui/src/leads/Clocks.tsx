import type { Lead } from '../api/types'
import { departmentName, useWords } from '../i18n/words'
import { useNow } from '../live/hooks'
import { useMe } from '../session'
import { Age, Clock, useSpanWords } from '../ui/Age'

/** Clocks tells by when each stage of a lead is due, the next one first. */
export function Clocks({ lead }: { lead: Lead }) {
  const { t, stage } = useWords()
  const me = useMe()
  const now = useNow()
  const span = useSpanWords()
  if (lead.clocks.length === 0) return null
  return (
    <section className="card">
      <h2>{t('lead.clocks')}{lead.supervised && <span className="tag overdue">{t('act.supervised')}</span>}</h2>
      <dl className="facts">
        {lead.clocks.map((c) => {
          const left = (Date.parse(c.due_at) - now) / 1000
          const order = lead.orders.find((o) => o.id === c.order)
          return (
            <div key={c.stage + (c.order ?? '')} className={left < 0 ? 'clock overdue' : 'clock'}>
              <dt>{stage(c.stage)}{order && ` ${departmentName(me, order.department)}`}</dt>
              <dd><Clock at={c.due_at} /> {left < 0 ? <>{t('lead.overdue')} <Age at={c.due_at} /></> : t('lead.left', { span: span(left) })}</dd>
            </div>
          )
        })}
      </dl>
    </section>
  )
}
