import { memo } from 'react'
import type { Lead } from '../api/types'
import { useWords } from '../i18n/words'
import { Age } from '../ui/Age'
import { SeverityMark } from '../ui/Icons'
import { cellPath } from './place'
import { tabOf, type Tab } from './states'

type Props = {
  lead: Lead
  index: number
  /** height is of every row, in pixels. */
  height: number
  selected: boolean
  pending: boolean
  tab: Tab
  onSelect: (id: string) => void
}

/** LeadRow is one lead of the queue. A lead that left the tab keeps its row and says where it went. */
export const LeadRow = memo(function LeadRow({ lead, index, height, selected, pending, tab, onSelect }: Props) {
  const { t, kind, severity, leadState, blind } = useWords()
  const gone = tabOf(lead.state) !== tab
  const place = cellPath(lead.grid)
  return (
    <div
      role="row"
      id={rowId(lead.id)}
      aria-rowindex={index + 1}
      aria-selected={selected}
      className={`row sev-edge-${lead.severity}${selected ? ' selected' : ''}${gone ? ' gone' : ''}`}
      style={{ transform: `translateY(${index * height}px)`, height }}
      onClick={() => onSelect(lead.id)}
    >
      <div role="gridcell" className="row-cell">
        <div className="row-line">
          <SeverityMark severity={lead.severity} />
          <span className={`sev-word sev-${lead.severity}`}>{severity(lead.severity)}</span>
          <strong className="row-kind">{kind(lead.kind)}</strong>
          <span className="num muted">#{lead.number}</span>
          <span className="row-age"><Age at={lead.raised_at} short /></span>
        </div>
        <div className="row-line row-camera" title={lead.camera.name}>{lead.camera.name}</div>
        <div className="row-line row-small">
          <span className="row-place" title={place}>{place}</span>
          <span className={`row-state${pending ? ' pending' : ''}${lead.ended_at && !gone && tab === 'triage' ? ' muted' : ''}`}>
            {lead.blind && <span className="blind">{blind(lead.blind.by)} </span>}
            {gone || tab !== 'triage' ? leadState(lead.state) : lead.ended_at ? t('lead.ended') : <><i className="dot" />{t('lead.running')}</>}
          </span>
        </div>
      </div>
    </div>
  )
})

export const rowId = (id: string) => 'lead-' + id
