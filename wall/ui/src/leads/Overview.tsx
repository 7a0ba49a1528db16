import { Link } from 'wouter'
import type { CameraState } from '../api/types'
import { useWords } from '../i18n/words'
import { useLive } from '../live/hooks'
import { tested } from '../live/store'
import { Age } from '../ui/Age'
import { Lamp, StateMark } from '../ui/Icons'
import { useStats } from './useCounts'

const states: CameraState[] = ['online', 'degraded', 'offline', 'unknown', 'disabled']

/** Overview stands where a lead will be: it says that quiet is quiet, not broken. */
export function Overview() {
  const { t, cameraState } = useWords()
  const live = useLive()
  const stats = useStats()
  const cameras = live.cameras ?? stats?.cameras
  return (
    <div className="overview">
      <h1>{t('overview.title')}</h1>
      <p className="muted">{stats?.leads.raised ? <>{t('overview.hint')} <kbd>J</kbd></> : t('overview.quiet')}</p>
      <dl className="figures">
        <div><dt>{t('overview.raised')}</dt><dd className="num">{stats ? stats.leads.raised ?? 0 : '–'}</dd></div>
        <div><dt>{t('overview.today')}</dt><dd className="num">{stats?.raised_today ?? '–'}</dd></div>
        {live.canary && tested(live.canary) && (
          <div>
            <dt>{t('overview.canary')}</dt>
            <dd className="figure-words"><Lamp ok={live.canary.ok} />{live.canary.last_at ? <Age at={live.canary.last_at} /> : '–'}</dd>
          </div>
        )}
      </dl>
      <ul className="states">
        {states.map((s) => (
          <li key={s} className={cameras?.[s] ? undefined : 'nobody'}>
            <Link href={`/cameras?state=${s}`}><StateMark state={s} />{cameraState(s)}<b className="num">{cameras?.[s] ?? 0}</b></Link>
          </li>
        ))}
      </ul>
    </div>
  )
}
