import { useQuery } from '@tanstack/react-query'
import { get, path } from '../api/client'
import type { LeadPage } from '../api/types'
import { useWords } from '../i18n/words'
import { useLive } from '../live/hooks'
import { store } from '../live/store'
import { SeverityMark } from '../ui/Icons'
import { newestFirst } from './queue'

const room = 2

/** useRaised brings the raised leads into the store, whatever tab is open: what is urgent is urgent there too. */
function useRaised() {
  return useQuery({
    queryKey: ['leads', 'raised'],
    queryFn: async ({ signal }) => {
      const page = await get<LeadPage>(path(['leads'], { state: 'raised', limit: 500 }), signal)
      store.put(page.leads)
      return { more: Boolean(page.next) }
    },
    staleTime: 60_000,
  })
}

/** HighStrip is a fixed place for what cannot wait; its height never changes, so that it pushes nothing. */
export function HighStrip({ selected, onSelect }: { selected?: string; onSelect: (id: string) => void }) {
  const { t, kind } = useWords()
  const live = useLive()
  const q = useRaised()
  const high = [...live.leads.values()]
    .filter((l) => l.state === 'raised' && l.severity === 'high' && !l.canary)
    .sort(newestFirst)
  const none = q.data ? t('queue.highNone') : q.isError ? t('queue.failed') : t('queue.loading')
  return (
    <section className={high.length > 0 ? 'strip strip-on' : 'strip'} aria-label={t('queue.high')}>
      <span className="strip-head"><SeverityMark severity="high" />{t('queue.high')}<b className="num">{q.data || high.length > 0 ? high.length : '–'}{q.data?.more && '+'}</b></span>
      {high.length === 0 && <span className="muted">{none}</span>}
      {high.slice(0, room).map((l) => (
        <button key={l.id} type="button" className="chip" aria-current={l.id === selected || undefined} onClick={() => onSelect(l.id)}>
          <span className="num">#{l.number}</span> {kind(l.kind)}
        </button>
      ))}
    </section>
  )
}
