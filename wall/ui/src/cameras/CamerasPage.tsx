import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useDeferredValue, useState } from 'react'
import { useLocation, useSearchParams } from 'wouter'
import { get, path, stillURL } from '../api/client'
import type { CameraPage, CameraState, CameraView, StateCounts } from '../api/types'
import { useWords } from '../i18n/words'
import { useCommands } from '../keys'
import { cellPath } from '../leads/place'
import { useNow } from '../live/hooks'
import { useMay } from '../session'
import { useSpanWords } from '../ui/Age'
import { StateMark } from '../ui/Icons'
import { Picture } from '../ui/Picture'
import { oldAfter, pictureAge } from './age'
import { CameraPanel } from './CameraPanel'
import { CellPicker } from './CellPicker'

// The worst first: that is what someone opens this page for.
const states: CameraState[] = ['offline', 'degraded', 'unknown', 'online', 'disabled']

export function CamerasPage({ id }: { id?: string }) {
  const { t, cameraState } = useWords()
  const [, go] = useLocation()
  const [params, setParams] = useSearchParams()
  const [thumbs, setThumbs] = useState(false)
  const mayView = useMay('view')
  const state = params.get('state') ?? ''
  const cell = params.get('cell') ?? ''
  const text = params.get('q') ?? ''
  const asked = useDeferredValue(text)
  const q = useInfiniteQuery({
    queryKey: ['cameras', state, cell, asked],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      get<CameraPage>(path(['cameras'], { state, cell, q: asked, limit: 100, cursor: pageParam }), signal),
    getNextPageParam: (page) => page.next || undefined,
    placeholderData: keepPreviousData,
    // Every page is asked for again, so a long list more rarely.
    refetchInterval: (q) => 10_000 * (q.state.data?.pages.length ?? 1),
  })
  const cameras = q.data?.pages.flatMap((p) => p.cameras) ?? []
  const counts: StateCounts = q.data?.pages[0]?.counts ?? {}
  const tail = params.toString() ? '?' + params.toString() : ''
  const open = (to?: string) => go((to ? `/cameras/${encodeURIComponent(to)}` : '/cameras') + tail)
  const set = (name: string, value: string) => setParams((p) => {
    if (value) p.set(name, value)
    else p.delete(name)
    return p
  }, { replace: true })

  useCommands((c) => {
    if (c === 'escape' && id) open()
    else if (c === 'search') document.getElementById('camera-search')?.focus()
    else return false
    return true
  })

  return (
    <main className={id ? 'cameras has-camera' : 'cameras'}>
      <section className="camera-list" aria-label={t('cameras.title')}>
        <div className="filters">
          <h1>{t('cameras.title')}</h1>
          <CellPicker cell={cell} onChange={(v) => set('cell', v)} />
          <input id="camera-search" type="search" value={text} placeholder={t('cameras.search')} aria-label={t('cameras.search')}
            maxLength={64} onChange={(e) => set('q', e.target.value)} />
          {mayView && (
            <button type="button" className="button" aria-pressed={thumbs} onClick={() => setThumbs(!thumbs)}>{t('cameras.thumbs')}</button>
          )}
        </div>
        <div className="state-tabs" role="group" aria-label={t('cameras.byState')}>
          <button type="button" className="state-tab" aria-pressed={state === ''} onClick={() => set('state', '')}>
            {t('cameras.all')}<b className="num">{Object.values(counts).reduce((a, b) => a + b, 0)}</b>
          </button>
          {states.map((s) => (
            <button key={s} type="button" className={counts[s] ? 'state-tab' : 'state-tab nobody'} aria-pressed={state === s} onClick={() => set('state', state === s ? '' : s)}>
              <StateMark state={s} />{cameraState(s)}<b className="num">{counts[s] ?? 0}</b>
            </button>
          ))}
        </div>
        {thumbs && <p className="muted small audited">{t('cameras.audited')}</p>}
        <ul className={thumbs ? 'tiles' : 'rows'}>
          {cameras.map((c) => (
            <li key={c.id}>{thumbs
              ? <Tile camera={c} current={c.id === id} onOpen={() => open(c.id)} />
              : <Row camera={c} current={c.id === id} onOpen={() => open(c.id)} />}</li>
          ))}
        </ul>
        {cameras.length === 0 && <p className="muted list-note" role="status">{q.isError ? t('cameras.failed') : q.isPending ? t('cameras.loading') : t('cameras.none')}</p>}
        {q.hasNextPage && (
          <button type="button" className="button more" disabled={q.isFetchingNextPage} onClick={() => void q.fetchNextPage()}>{t('cameras.more')}</button>
        )}
      </section>
      {id && <CameraPanel key={id} id={id} onClose={() => open()} />}
    </main>
  )
}

type Item = { camera: CameraView; current: boolean; onOpen: () => void }

function Row({ camera: c, current, onOpen }: Item) {
  const { cameraState, cameraReason } = useWords()
  return (
    <button type="button" className="camera-row" aria-current={current || undefined} onClick={onOpen}>
      <span className={`camera-state cam-${c.state}`}><StateMark state={c.state} />{cameraState(c.state)}</span>
      <span className="camera-name"><b>{c.name}</b><span className="muted small num">{c.id}</span></span>
      <span className="camera-reason">{cameraReason(c.reason ?? '')}</span>
      <span className="camera-place muted">{cellPath(c.grid)}</span>
      <PictureAge camera={c} />
    </button>
  )
}

function Tile({ camera: c, current, onOpen }: Item) {
  const { t, cameraState, cameraReason } = useWords()
  const now = useNow()
  const age = pictureAge(c, now)
  const never = age === undefined
  return (
    <button type="button" className="tile" aria-current={current || undefined} onClick={onOpen}>
      {never
        ? <span className="picture"><span className="picture-note muted">{t('picture.never')}</span></span>
        : <Picture url={stillURL(c.id)} mark={c.last_sample ?? ''} alt={c.name} stale={age > oldAfter(c)} />}
      <span className="tile-name">{c.name}</span>
      <span className="tile-line small"><span className={`camera-state cam-${c.state}`}><StateMark state={c.state} />{cameraState(c.state)}</span><span className="muted">{cameraReason(c.reason ?? '')}</span><PictureAge camera={c} /></span>
    </button>
  )
}

/** PictureAge tells how old a picture is, and marks it once it is older than the patrol would have it. */
export function PictureAge({ camera }: { camera: CameraView }) {
  const { t } = useWords()
  const now = useNow()
  const words = useSpanWords()
  const age = pictureAge(camera, now)
  if (age === undefined) return <span className="picture-age muted">{t('picture.never')}</span>
  const old = age > oldAfter(camera)
  return <span className={old ? 'picture-age old num' : 'picture-age num'}>{old ? t('picture.old', { age: words(age) }) : t('picture.ago', { age: words(age) })}</span>
}
