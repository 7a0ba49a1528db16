import { useTranslation } from 'react-i18next'
import { useNow } from '../live/hooks'
import { useMe } from '../session'
import { clock, sameDay, span } from './time'

/** useSpanWords says a length of time. */
export function useSpanWords() {
  const { t } = useTranslation()
  return (seconds: number) => {
    const { unit, big, small } = span(seconds)
    return t(`span.${unit}`, { big, small })
  }
}

/** Age is how long ago something was, and ticks; short, it tells the largest unit alone. */
export function Age({ at, short }: { at: string; short?: boolean }) {
  const { t } = useTranslation()
  const now = useNow()
  const words = useSpanWords()
  const seconds = (now - Date.parse(at)) / 1000
  const { unit, big } = span(seconds)
  return <time dateTime={at}>{short ? t(`shortSpan.${unit}`, { big }) : words(seconds)}</time>
}

/** Clock is an instant in the site's time zone; the day is told when it is not today. */
export function Clock({ at, day }: { at: string; day?: boolean }) {
  const now = useNow()
  const { site } = useMe()
  const withDay = day ?? !sameDay(at, now, site.time_zone)
  return <time dateTime={at} className="num">{clock(at, site.time_zone, withDay)}</time>
}
