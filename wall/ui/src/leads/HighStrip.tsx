import { useWords } from '../i18n/words'
import { useLive } from '../live/hooks'
import { SeverityMark } from '../ui/Icons'
import { newestFirst } from './queue'

const room = 2

/** HighStrip is a fixed place for what cannot wait; its height never changes, so that it pushes nothing. */
export function HighStrip({ selected, onSelect }: { selected?: string; onSelect: (id: string) => void }) {
  const { t, kind } = useWords()
  const live = useLive()
  const high = [...live.leads.values()]
    .filter((l) => l.state === 'raised' && l.severity === 'high' && !l.canary)
    .sort(newestFirst)
  return (
    <section className={high.length > 0 ? 'strip strip-on' : 'strip'} aria-label={t('queue.high')}>
      <span className="strip-head"><SeverityMark severity="high" />{t('queue.high')}<b className="num">{high.length}</b></span>
      {high.length === 0 && <span className="muted">{t('queue.highNone')}</span>}
      {high.slice(0, room).map((l) => (
        <button key={l.id} type="button" className="chip" aria-current={l.id === selected || undefined} onClick={() => onSelect(l.id)}>
          <span className="num">#{l.number}</span> {kind(l.kind)}
        </button>
      ))}
    </section>
  )
}
