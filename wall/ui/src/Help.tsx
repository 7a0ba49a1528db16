import { useTranslation } from 'react-i18next'
import { Sheet } from './ui/Sheet'

const rows = [
  ['next', 'J', '↓'], ['previous', 'K', '↑'], ['accept', 'A', 'Enter'], ['reject', 'X', '1…9'], ['dispatch', 'D'],
  ['close', 'C'], ['acknowledge', 'Y'], ['resolve', 'F'], ['transfer', 'T'], ['undo', 'U', 'Ctrl+Z'],
  ['refresh', 'R'], ['marks', 'B'], ['picture', ',', '.'], ['search', '/'], ['help', '?'], ['escape', 'Esc'],
] as const

/** Help is the sheet of keys. */
export function Help({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  return (
    <Sheet title={t('help.title')} onClose={onClose} wide>
      <dl className="keys">
        {rows.map(([name, ...keys]) => (
          <div key={name}>
            <dt>{keys.map((k) => <kbd key={k}>{k}</kbd>)}</dt>
            <dd>{t(`help.${name}`)}</dd>
          </div>
        ))}
      </dl>
      <p className="muted small">{t('help.note')}</p>
      <div className="sheet-foot"><button type="button" className="button" autoFocus onClick={onClose}>{t('help.closeSheet')}<kbd>Esc</kbd></button></div>
    </Sheet>
  )
}
