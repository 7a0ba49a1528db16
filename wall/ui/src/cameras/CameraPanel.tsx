import { useQuery } from '@tanstack/react-query'
import { Link } from 'wouter'
import { get, path, Problem, stillURL } from '../api/client'
import type { CameraView, LeadPage } from '../api/types'
import { useWords } from '../i18n/words'
import { Marks } from '../leads/LeadPanel'
import { cellPath } from '../leads/place'
import { useNow } from '../live/hooks'
import { Age, Clock, useSpanWords } from '../ui/Age'
import { SeverityMark, StateMark } from '../ui/Icons'
import { Picture } from '../ui/Picture'
import { oldAfter, pictureAge } from './age'
import { PictureAge } from './CamerasPage'
import { Explain } from './Explain'

/** CameraPanel is one camera: its newest picture, its state in words, and its leads. */
export function CameraPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const { t, problem } = useWords()
  const q = useQuery({
    queryKey: ['camera', id],
    queryFn: ({ signal }) => get<CameraView>(path(['cameras', id]), signal),
    refetchInterval: 5_000,
    retry: 1,
  })
  const why = q.error instanceof Problem ? q.error : undefined
  return (
    <section className="camera-panel" aria-label={t('camera.title')}>
      <button type="button" className="quiet" onClick={onClose}>{t('camera.close')}<kbd>Esc</kbd></button>
      {q.data ? <Camera camera={q.data} /> : <p role="status">{!why ? t('camera.loading') : why.status === 404 ? t('camera.none') : problem(why.code)}</p>}
    </section>
  )
}

function Camera({ camera: c }: { camera: CameraView }) {
  const { t, cameraState, cameraReason, mode, tier } = useWords()
  const now = useNow()
  const words = useSpanWords()
  const age = pictureAge(c, now)
  return (
    <>
      <h2><span className={`camera-state cam-${c.state}`}><StateMark state={c.state} /></span>{c.name}</h2>
      {age === undefined
        ? <div className="picture"><p className="picture-note muted">{t('picture.never')}</p></div>
        : (
          <Picture url={stillURL(c.id)} mark={c.last_sample ?? ''} alt={t('picture.still', { camera: c.name })} stale={age > oldAfter(c)}>
            {c.zones.map((z) => <Marks key={z.id} area={z.area} />)}
          </Picture>
        )}
      <dl className="facts">
        <dt>{t('camera.state')}</dt>
        <dd className={`cam-word cam-${c.state}`}>{cameraState(c.state)}{c.reason && <> · {cameraReason(c.reason)}</>}</dd>
        {c.detail && <><dt>{t('camera.detail')}</dt><dd className="wrap">{c.detail}</dd></>}
        {c.since && <><dt>{t('camera.since')}</dt><dd><Clock at={c.since} /> <span className="muted">(<Age at={c.since} />)</span></dd></>}
        <dt>{t('camera.picture')}</dt>
        <dd><PictureAge camera={c} />{c.last_sample && <span className="muted"> <Clock at={c.last_sample} /></span>}</dd>
        <dt>{t('camera.patrol')}</dt>
        <dd>
          {tier(c.tier)} · {t('camera.every', { span: words(c.interval_now_seconds) })} · {mode(c.mode_now)}
          {c.interval_now_seconds > c.interval_seconds * 1.01 && <span className="muted"> {t('camera.stretched', { span: words(c.interval_seconds) })}</span>}
        </dd>
        {c.failures > 0 && (
          <><dt>{t('camera.failures')}</dt><dd className="num">{c.failures}{c.next_try && <span className="muted"> {t('camera.nextTry')} <Clock at={c.next_try} /></span>}</dd></>
        )}
        <dt>{t('lead.place')}</dt><dd>{cellPath(c.grid) || t('lead.noPlace')}</dd>
        {c.owner && <><dt>{t('camera.owner')}</dt><dd>{c.owner}</dd></>}
        <dt>{t('camera.position')}</dt><dd className="num">{c.lat.toFixed(6)}, {c.lon.toFixed(6)}</dd>
        <dt>{t('camera.id')}</dt><dd className="num wrap">{c.id}</dd>
      </dl>
      <Zones camera={c} />
      <Explain camera={c} />
      <Leads camera={c.id} />
    </>
  )
}

function Zones({ camera }: { camera: CameraView }) {
  const { t, zoneKind } = useWords()
  if (camera.zones.length === 0) return null
  return (
    <>
      <h3>{t('camera.zones')}</h3>
      <ul className="plain">{camera.zones.map((z) => <li key={z.id}><b>{z.name || z.id}</b>{z.name !== zoneKind(z.kind) && <span className="muted"> {zoneKind(z.kind)}</span>}</li>)}</ul>
    </>
  )
}

function Leads({ camera }: { camera: string }) {
  const { t, kind, leadState } = useWords()
  const q = useQuery({
    queryKey: ['leads-of', camera],
    queryFn: ({ signal }) => get<LeadPage>(path(['leads'], { camera, limit: 10 }), signal),
    refetchInterval: 15_000,
  })
  const leads = q.data?.leads ?? []
  return (
    <>
      <h3>{t('camera.leads')}</h3>
      {leads.length === 0 && <p className="muted">{q.isPending ? t('queue.loading') : t('camera.noLeads')}</p>}
      <ul className="plain">
        {leads.map((l) => (
          <li key={l.id}>
            <Link href={`/leads/${encodeURIComponent(l.id)}`}><SeverityMark severity={l.severity} />{kind(l.kind)} <span className="num">#{l.number}</span></Link>
            {' '}<span className="tag">{leadState(l.state)}</span> <span className="muted"><Age at={l.raised_at} /></span>
          </li>
        ))}
      </ul>
    </>
  )
}
