package alerts

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// OrderTransition changes a department's order, and with it its lead where the
// order decides that: see followed. It returns *OrderRefusedError or
// ErrNotFound; when it returns nil the change is durable.
func (e *Engine) OrderTransition(ctx context.Context, t OrderTransition) (Lead, error) {
	lead, err := e.change(ctx, t.Lead, func(ch *changing) error {
		i := slices.IndexFunc(ch.lead.Orders, func(o Order) bool { return o.ID == t.Order })
		if i < 0 {
			return ErrNotFound
		}
		if err := JudgeOrder(ch.lead.Orders[i], t); err != nil {
			return err
		}
		order, act := ch.lead.Orders[i].after(t, ch.tx.Now())
		ch.lead.Orders[i] = order
		err := ch.record(ctx, Step{
			By: t.By, Act: act, About: order.Department, Reason: strings.TrimSpace(t.Reason), Note: t.Note,
		}, t.Client, []Order{order})
		if err != nil {
			return err
		}
		to := followed(ch.lead)
		if to == "" {
			return nil
		}
		return ch.move(ctx, Transition{
			Lead: ch.lead.ID, To: to, By: t.By, Client: t.Client, Reason: order.Department + " " + string(t.To),
		})
	})
	if err != nil {
		return Lead{}, fmt.Errorf("order %s to %s: %w", t.Order, t.To, err)
	}
	return lead, nil
}

// SendOrders sends orders to further departments; see JudgeOrders. It returns
// *StaleError, *RefusedError or ErrNotFound.
func (e *Engine) SendOrders(ctx context.Context, r OrderRequest) (Lead, error) {
	lead, err := e.change(ctx, r.Lead, func(ch *changing) error {
		if err := JudgeOrders(ch.lead, r); err != nil {
			return err
		}
		orders := newOrders(ch.lead, r.Departments, r.Copies, max(1, round(ch.lead)), ch.lead.Version+1, ch.tx.Now())
		ch.lead.Orders = append(ch.lead.Orders, orders...)
		return ch.record(ctx, Step{
			By: r.By, Act: ActOrdered, About: strings.Join(slices.Concat(r.Departments, r.Copies), " "), Note: r.Note,
		}, r.Client, orders)
	})
	if err != nil {
		return Lead{}, fmt.Errorf("orders for lead %s: %w", r.Lead, err)
	}
	return lead, nil
}

// OrderQuery selects orders.
type OrderQuery struct {
	Department string       // "" means all
	States     []OrderState // none means all
	// Limit is 1..500, 0 means 50. Cursor is a page's Next. Newest first.
	Limit  int
	Cursor string
}

// OrderPage is one page of orders, newest first.
type OrderPage struct {
	Orders []LeadOrder
	Next   string // continues the list; "" at its end
}

// LeadOrder is an order with the lead that it belongs to.
type LeadOrder struct {
	Order Order `json:"order"`
	Lead  Lead  `json:"lead"`
}

// Orders returns a page of orders, newest first, canary leads left out.
func (e *Engine) Orders(ctx context.Context, q OrderQuery) (OrderPage, error) {
	switch {
	case q.Limit == 0:
		q.Limit = 50
	case q.Limit < 1 || q.Limit > 500:
		return OrderPage{}, fmt.Errorf("limit %d: want 1 to 500", q.Limit)
	}
	for _, s := range q.States {
		if !slices.Contains(OrderStates(), s) {
			return OrderPage{}, fmt.Errorf("there is no order state %q", s)
		}
	}
	page, err := e.store.Orders(ctx, q)
	for i := range page.Orders {
		page.Orders[i].Lead = e.shown(page.Orders[i].Lead)
	}
	return page, err
}
