import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState, type CSSProperties, type ReactNode } from 'react'
import { picture, Problem } from '../api/client'
import { useWords } from '../i18n/words'
import { useMay } from '../session'

/** useSeen tells whether an element has come into view: a picture nobody sees is not fetched, and not audited. */
function useSeen() {
  const ref = useRef<HTMLDivElement>(null)
  const [seen, setSeen] = useState(false)
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => setSeen(entries.some((e) => e.isIntersecting)))
    observer.observe(ref.current!)
    return () => observer.disconnect()
  }, [])
  return [ref, seen] as const
}

/** Picture shows one audited picture, or says why there is none. Children are drawn over it in 0..1 coordinates. */
export function Picture({ url, mark, alt, children, stale }: {
  url: string
  /** mark changes when a newer picture lies at the same address. */
  mark?: string
  alt: string
  children?: ReactNode
  stale?: boolean
}) {
  const { t, problem } = useWords()
  const may = useMay('view')
  const [box, seen] = useSeen()
  // The shape of the picture, once known: until then nothing is drawn that would jump.
  const [ratio, setRatio] = useState<number>()
  const q = useQuery({
    queryKey: ['picture', url, mark],
    queryFn: ({ signal }) => picture(url, signal),
    enabled: may && seen,
    staleTime: Infinity,
    // A view is audited for at most a minute; after that it is asked for again.
    gcTime: 60_000,
    retry: false,
    // Until a newer picture is here, the last one stays.
    placeholderData: (old, was) => (was?.queryKey[1] === url ? old : undefined),
  })
  const error = q.error instanceof Problem ? q.error : undefined
  return (
    <div ref={box} className={stale ? 'picture stale' : 'picture'} style={ratio === undefined ? undefined : { aspectRatio: ratio, '--ratio': ratio } as CSSProperties}>
      {q.data && (
        <img src={q.data} alt={alt} className={ratio === undefined ? 'unknown' : undefined} onLoad={(e) => {
          const { naturalWidth: w, naturalHeight: h } = e.currentTarget
          if (w > 0 && h > 0) setRatio(w / h)
        }} />
      )}
      {q.data && ratio !== undefined && children && (
        <svg className="drawn" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">{children}</svg>
      )}
      {!may && <p className="picture-note">{t('picture.forbidden')}</p>}
      {may && q.isPending && <p className="picture-note muted">{t('picture.loading')}</p>}
      {error && !q.data && (
        <div className="picture-note" role="alert">
          <p>{error.status === 503 ? t('picture.withheld') : error.status === 404 ? t('picture.none') : t('picture.failed')}</p>
          <p className="muted">{problem(error.code)}</p>
          <button type="button" className="button" onClick={() => void q.refetch()}>{t('retry')}</button>
        </div>
      )}
    </div>
  )
}
