import type { ReactNode } from 'react'
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components'

/** Sheet is a dialog that is there as long as it is rendered. Esc and a click beside it close it. Aside, it leaves the picture to be seen. */
export function Sheet({ title, onClose, children, wide, aside }: {
  title: string
  onClose: () => void
  children: ReactNode
  wide?: boolean
  aside?: boolean
}) {
  return (
    <ModalOverlay className={aside ? 'overlay overlay-side' : 'overlay'} isOpen isDismissable onOpenChange={(open) => { if (!open) onClose() }}>
      <Modal className={wide ? 'sheet sheet-wide' : 'sheet'}>
        <Dialog className="sheet-body">
          <Heading slot="title" className="sheet-title">{title}</Heading>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  )
}
