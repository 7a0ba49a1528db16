import { Link } from 'wouter'
import { evidenceURL, Problem } from '../api/client'
import type { CameraView, Evidence, Lead, LeadDetail, Step } from '../api/types'
import { said } from '../i18n'
import { departmentName, reasonWords, useWords } from '../i18n/words'
import { useLive } from '../live/hooks'
import { useMe } from '../session'
import { Age, Clock } from '../ui/Age'
import { SeverityMark } from '../ui/Icons'
import { Picture } from '../ui/Picture'
import type { Offer } from './actions'
import { Clocks } from './Clocks'
import { Orders } from './Orders'
import { Owner } from './Owner'
import { cellPath } from './place'
import { Shelve } from './Shelve'
import { useLead } from './useLead'

type Props = {
  id: string
  /** at is which of the lead's pictures is shown, from 0. */
  at: number
  onAt: (i: number) => void
  marks: boolean
  onMarks: (on: boolean) => void
  offers: Offer[]
  onOffer: (o: Offer) => void
  onBack: () => void
}

/** LeadPanel is one lead with all that a person needs to judge it. */
export function LeadPanel(p: Props) {
  const { t, problem } = useWords()
  const { lead, detail, error } = useLead(p.id)
  if (!lead) {
    const why = error instanceof Problem ? error : undefined
    return <div className="overview"><p role="status">{!why ? t('lead.loading') : why.status === 404 ? t('lead.none') : problem(why.code)}</p></div>
  }
  return (
    <article className="lead" key={lead.id}>
      <Head lead={lead} onBack={p.onBack} />
      <div className="lead-main">
        <Pictures lead={lead} camera={detail?.camera} at={p.at} onAt={p.onAt} marks={p.marks} onMarks={p.onMarks} />
        <p className="summary">{said(lead.summary)}</p>
        <div className="actions">
          {p.offers.map((o) => (
            <button key={o.name} type="button" className={o.main ? 'button big primary' : 'button big'} onClick={() => p.onOffer(o)}>
              {t(`action.${o.name}`)}{o.key && <kbd>{o.key}</kbd>}
            </button>
          ))}
          {p.offers.length === 0 && <p className="muted">{t('lead.noAction')}</p>}
        </div>
      </div>
      <div className="lead-rail">
        <Facts lead={lead} camera={detail?.camera} />
        <Clocks lead={lead} />
        <Orders lead={lead} />
        <Merged detail={detail} />
        <Trace steps={detail?.trace ?? []} />
      </div>
    </article>
  )
}

function Head({ lead, onBack }: { lead: Lead; onBack: () => void }) {
  const { t, kind, severity, leadState, blind } = useWords()
  const live = useLive()
  return (
    <header className="lead-head">
      <button type="button" className="quiet back" onClick={onBack}>{t('lead.back')}</button>
      <SeverityMark severity={lead.severity} />
      <h1>{kind(lead.kind)} <span className="num muted">#{lead.number}</span></h1>
      <span className="lead-where" title={lead.camera.name}>{lead.camera.name}</span>
      <span className={`tag sev-tag-${lead.severity}`}>{severity(lead.severity)}</span>
      <span className={`tag${live.pending(lead.id) ? ' pending' : ''}`} data-state={lead.state}>{leadState(lead.state)}</span>
      <span className="tag">{lead.ended_at ? <>{t('lead.ended')} <Clock at={lead.ended_at} /></> : <><i className="dot" />{t('lead.running')}</>}</span>
      {lead.blind && <span className="tag tag-blind">{blind(lead.blind.by)} <Age at={lead.blind.since} short /></span>}
      <span className="lead-clock"><span className="muted">{t('lead.sinceRaised')}</span> <b className="num"><Age at={lead.raised_at} /></b></span>
    </header>
  )
}

type PicturesProps = Pick<Props, 'at' | 'onAt' | 'marks' | 'onMarks'> & { lead: Lead; camera?: CameraView }

function Pictures({ lead, camera, at, onAt, marks, onMarks }: PicturesProps) {
  const { t, phase, kind } = useWords()
  const all = lead.evidence
  const shown = all[Math.min(at, all.length - 1)]
  const zone = camera?.zones.find((z) => z.id === lead.zone.id)
  if (!shown) return <div className="screen"><p className="picture-note">{t('picture.none')}</p></div>
  return (
    <figure className="pictures">
      <div className="screen">
        <Picture key={shown.sha256} url={evidenceURL(lead.id, shown.sha256)} alt={t('picture.alt', { kind: kind(lead.kind), camera: lead.camera.name })}>
          {marks && <Marks boxes={shown.boxes} area={zone?.area} />}
        </Picture>
      </div>
      <figcaption className="picture-bar">
        <span className="picture-time"><Clock at={shown.taken_at} day /></span>
        <span className="picture-tabs">
          {all.length > 1 && <kbd>,</kbd>}
          {all.map((e, i) => (
            <button key={e.sha256} type="button" className="quiet" aria-pressed={e === shown} onClick={() => onAt(i)}>
              {phase(e.phase)} <Clock at={e.taken_at} />
            </button>
          ))}
          {all.length > 1 && <kbd>.</kbd>}
        </span>
        <button type="button" className="quiet" aria-pressed={marks} onClick={() => onMarks(!marks)}>{t('picture.marks')}<kbd>B</kbd></button>
      </figcaption>
    </figure>
  )
}

/** Marks draws what the rule saw, over the picture: the zone dashed, each box with a dark edge to stand out anywhere. */
export function Marks({ boxes, area }: { boxes?: Evidence['boxes']; area?: number[][] }) {
  return (
    <>
      {area && <polygon className="zone" points={area.map(([x, y]) => `${x},${y}`).join(' ')} />}
      {(boxes ?? []).map((b, i) => (
        <g key={i}>
          <rect className="box-edge" x={b.x} y={b.y} width={b.w} height={b.h} />
          <rect className="box" x={b.x} y={b.y} width={b.w} height={b.h} />
        </g>
      ))}
    </>
  )
}

function Facts({ lead, camera }: { lead: Lead; camera?: CameraView }) {
  const { t, zoneKind, cameraState, cameraReason, blind } = useWords()
  return (
    <section className="card">
      <h2>{t('lead.facts')}</h2>
      <dl className="facts">
        <dt>{t('lead.camera')}</dt>
        <dd>
          <Link href={`/cameras/${encodeURIComponent(lead.camera.id)}`}>{lead.camera.name}</Link>
          {camera && camera.state !== 'online' && <span className={`cam-word cam-${camera.state}`}> {cameraState(camera.state)}</span>}
        </dd>
        <dt>{t('lead.place')}</dt>
        <dd>{cellPath(lead.grid) || t('lead.noPlace')}</dd>
        <dt>{t('lead.zone')}</dt>
        <dd>{lead.zone.name || lead.zone.id}{lead.zone.name !== zoneKind(lead.zone.kind) && <span className="muted"> {zoneKind(lead.zone.kind)}</span>}</dd>
        <dt>{t('lead.condition')}</dt>
        <dd>
          {lead.ended_at
            ? <>{t('lead.ended')} <Clock at={lead.ended_at} /></>
            : <><i className="dot" />{t('lead.running')} <span className="muted">{t('lead.lastSeen')} <Clock at={lead.last_seen_at} /></span></>}
          {lead.blind && (
            <div className="blind">{blind(lead.blind.by)}{lead.blind.reason && ` · ${cameraReason(lead.blind.reason)}`} · {t('lead.blindSince')} <Clock at={lead.blind.since} /></div>
          )}
        </dd>
        <dt>{t('lead.began')}</dt>
        <dd><Clock at={lead.began_at} /></dd>
        <dt>{t('lead.raised')}</dt>
        <dd><Clock at={lead.raised_at} /></dd>
        <dt>{t('lead.owner')}</dt>
        <dd><Owner lead={lead} /></dd>
        <dt>{t('lead.rule')}</dt>
        <dd><span className="muted">{lead.rule.id} v{lead.rule.version}</span> <Shelve key={lead.id} lead={lead} /></dd>
      </dl>
    </section>
  )
}

function Merged({ detail }: { detail?: LeadDetail }) {
  const { t, kind } = useWords()
  const failing = detail?.cameras.filter((c) => !c.until) ?? []
  if (!detail || detail.merged.length === 0 && failing.length === 0) return null
  return (
    <section className="card">
      {detail.merged.length > 0 && <h2>{t('lead.merged')}</h2>}
      <ul>
        {detail.merged.map((m) => (
          <li key={m.id}><Link href={`/leads/${encodeURIComponent(m.id)}`}>#{m.number} {kind(m.kind)}</Link> {m.camera.name} <Clock at={m.raised_at} /></li>
        ))}
      </ul>
      {failing.length > 0 && <h2>{t('lead.cameras')} <span className="num">{failing.length}</span></h2>}
      <ul className="failing">
        {failing.map((c) => <li key={c.camera}><Link href={`/cameras/${encodeURIComponent(c.camera)}`}>{c.camera}</Link></li>)}
      </ul>
    </section>
  )
}

function Trace({ steps }: { steps: Step[] }) {
  const { t, leadState, reason, act, stage, blind, cameraReason } = useWords()
  const me = useMe()
  const about = (s: Step) => {
    if (s.act.startsWith('order_') || s.act === 'feedback') return departmentName(me, s.about ?? '')
    return s.act === 'blinded' ? blind(s.about ?? '') : stage(s.about ?? '')
  }
  const why = (s: Step) => s.act === 'blinded' ? cameraReason(s.reason ?? '') : reason(reasonWords(me, s.reason ?? ''))
  return (
    <section className="card">
      <h2>{t('lead.trace')}</h2>
      <ol className="trace">
        {steps.toReversed().map((s) => (
          <li key={s.version}>
            <div><b>{s.act === 'moved' ? leadState(s.to) : act(s.act)}</b> {s.act !== 'moved' && s.about && <span>{about(s)}</span>} <span className="muted">{s.by === 'system' ? t('lead.system') : s.by}</span> <Clock at={s.at} /></div>
            {s.reason && <div>{why(s)}</div>}
            {s.note && <div className="muted">{s.note}</div>}
          </li>
        ))}
      </ol>
    </section>
  )
}
