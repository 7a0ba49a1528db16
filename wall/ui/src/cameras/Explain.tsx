import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { get, path, Problem } from '../api/client'
import type { CameraView, Explanation } from '../api/types'
import { said } from '../i18n'
import { useWords } from '../i18n/words'
import { Clock, useSpanWords } from '../ui/Age'

type Rule = Explanation['rules'][number]

/** Explain shows what the detector makes of a camera, once somebody opens it: the view is audited. */
export function Explain({ camera }: { camera: CameraView }) {
  const { t, problem } = useWords()
  const [open, setOpen] = useState(false)
  const q = useQuery({
    queryKey: ['explain', camera.id],
    queryFn: ({ signal }) => get<Explanation>(path(['cameras', camera.id, 'explain'], { purpose: 'explain' }), signal),
    enabled: open,
    retry: false,
    gcTime: 60_000,
  })
  const error = q.error instanceof Problem ? q.error : undefined
  return (
    <details className="explain" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{t('explain.title')}</summary>
      {q.isFetching && !q.data && <p role="status" className="muted">{t('explain.loading')}</p>}
      {error && !q.data && <p role="alert">{error.status === 404 ? t('explain.none') : <>{t('explain.failed')}: {problem(error.code)}</>}</p>}
      {q.data && <Told camera={camera} told={q.data} />}
      {open && !q.isFetching && <button type="button" className="button" onClick={() => void q.refetch()}>{t('explain.refresh')}</button>}
    </details>
  )
}

function Told({ camera, told }: { camera: CameraView; told: Explanation }) {
  const { t, kind, cameraReason, ruleState } = useWords()
  const name = (id: string) => camera.zones.find((z) => z.id === id)?.name || id
  const rules = told.rules ?? []
  return (
    <>
      <p className="muted">{t('explain.of')} <Clock at={told.received} /></p>
      {told.scene.fault !== '' && <p role="status">{t('explain.blind', { why: cameraReason(told.scene.fault) })}</p>}
      {!told.learned && <p role="status">{t('explain.learning')}</p>}
      {told.picture ? <Drawn jpeg={told.picture} title={t('explain.picture')} /> : <p className="muted">{t('explain.withheld')}</p>}
      {rules.length === 0 ? <p className="muted">{t('explain.noRules')}</p> : (
        <table>
          <thead><tr><th>{t('explain.rule')}</th><th>{t('explain.state')}</th><th>{t('explain.sees')}</th></tr></thead>
          <tbody>
            {rules.map((r) => (
              <tr key={`${r.zone}/${r.rule.id}`}>
                <td>{name(r.zone)}<br /><span className="muted">{kind(r.kind)}</span></td>
                <td><span className={`rule-state rule-${r.state}`}>{ruleState(r.state)}</span>{r.since && <><br /><Clock at={r.since} /></>}</td>
                <td><Sees rule={r} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {told.background && <Drawn jpeg={told.background} title={t('explain.background')} />}
    </>
  )
}

function Sees({ rule }: { rule: Rule }) {
  const { t } = useWords()
  const words = useSpanWords()
  const s = rule.sees
  const parts = [t('explain.coverage', { share: (100 * s.coverage).toFixed(1) }), t('explain.things', { present: s.present, standing: s.standing })]
  if (s.dwell_seconds > 0) parts.push(t('explain.dwell', { span: words(s.dwell_seconds) }))
  if (s.count > 0) parts.push(t('explain.people', { count: Math.round(s.count) }))
  if (s.flame > 0) parts.push(t('explain.flame', { score: s.flame.toFixed(2) }))
  if (s.smoke > 0) parts.push(t('explain.smoke', { score: s.smoke.toFixed(2) }))
  return (
    <>
      {parts.join(' · ')}
      {rule.why?.zh && <><br /><span className="muted">{said(rule.why)}</span></>}
    </>
  )
}

function Drawn({ jpeg, title }: { jpeg: string; title: string }) {
  return (
    <figure>
      <img src={`data:image/jpeg;base64,${jpeg}`} alt={title} />
      <figcaption>{title}</figcaption>
    </figure>
  )
}
