package slackapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// maxTableRows is how many rows a table of access has, below its header, and maxCells
// how many characters a cell. Slack takes 100 rows, and 10,000 characters in all cells
// together (docs.slack.dev/reference/block-kit/blocks/data-table-block).
const maxTableRows = 100

var maxCells = []int{24, 30, 20, 20}

// maxWalked is how much live access of an environment is looked through for what a
// filter wants.
const maxWalked = 5000

// adminData is what admins see of their environments.
type adminData struct {
	environments []string
	access       []store.LiveAccess // what ends first
	more         bool
	days         []store.Day
}

func (h Home) adminOf(ctx context.Context, environments []string) (*adminData, error) {
	d := &adminData{environments: environments}
	var all sync.WaitGroup
	var listing, counting error
	all.Go(func() {
		d.access, d.more, listing = h.liveAccess(ctx, environments, func(store.LiveAccess) bool { return true }, 0)
	})
	all.Go(func() { d.days, counting = h.daysOf(ctx, environments) })
	all.Wait()
	return d, errors.Join(listing, counting)
}

// liveAccess lists live access that is wanted, what ends first before the others: a
// table of it, after so many.
func (h Home) liveAccess(ctx context.Context, environments []string, wanted func(store.LiveAccess) bool, after int) (list []store.LiveAccess, more bool, err error) {
	enough := after + maxTableRows
	for _, environment := range environments {
		found := 0
		for cursor, walked := "", 0; ; {
			page, next, err := h.Live.Of(ctx, environment, cursor, enough+1)
			if err != nil {
				return nil, false, err
			}
			for _, a := range page {
				if wanted(a) {
					list, found = append(list, a), found+1
				}
			}
			if cursor, walked = next, walked+len(page); cursor == "" || found > enough || walked >= maxWalked {
				more = more || cursor != ""
				break
			}
		}
	}
	slices.SortStableFunc(list, func(a, b store.LiveAccess) int {
		if a.End.IsZero() != b.End.IsZero() {
			return cmp.Compare(b.End.Unix(), a.End.Unix()) // without an end: last
		}
		return a.End.Compare(b.End)
	})
	list = list[min(after, len(list)):]
	if len(list) > maxTableRows {
		list, more = list[:maxTableRows], true
	}
	return list, more, nil
}

// daysOf adds up the figures of the environments.
func (h Home) daysOf(ctx context.Context, environments []string) (sum []store.Day, err error) {
	for i, environment := range environments {
		days, err := h.Stats.Days(ctx, environment, h.Now(), statDays)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			sum = days
			continue
		}
		for n, day := range days {
			for out, count := range day.Of {
				sum[n].Of[out] += count
			}
			sum[n].Took = append(sum[n].Took, day.Took...)
			slices.Sort(sum[n].Took)
		}
	}
	return sum, nil
}

// blocks appends the part for admins.
func (d *adminData) blocks(p *page, now time.Time, plainly bool) {
	p.add(slack.NewHeaderBlock(plain("Who has what now", maxHeader)))
	switch {
	case len(d.access) == 0:
		p.add(section("Nobody has access in " + safe(enumerate(d.environments)) + "."))
	case plainly:
		const most = 10
		for i, a := range d.access[:min(len(d.access), most)] {
			ends := "until somebody ends it"
			if !a.End.IsZero() {
				ends = "until " + moment(a.End)
			}
			b := slack.NewSectionBlock(mrkdwn(strings.Join([]string{mention(a.Who), "*" + safe(fit(a.What, maxCells[1])) + "*", ends}, " · "), maxText), nil, nil)
			if a.Endable {
				b.Accessory = slack.NewAccessory(endButton(a, i))
			}
			p.add(b)
		}
		if len(d.access) > most {
			p.context(plain(fmt.Sprintf("and %s: look for them by Filter", atLeast(len(d.access)-most, d.more)), maxText))
		}
	default:
		p.add(accessTable(d.access))
	}
	note := "Access that ends first stands first."
	if d.more {
		note = fmt.Sprintf("The first %d by their end. Filter finds the others.", len(d.access))
	}
	explain := button(homeExplain, "explain", "🧭 Explain a request…", "", "")
	if len(d.access) == 0 {
		p.buttons(explain)
	} else {
		p.buttons(button(homeAccess, "filter", "🔎 Filter…", "", ""), explain)
		p.context(plain(note, maxText))
	}
	d.figures(p, plainly)
}

func atLeast(n int, more bool) string {
	if more {
		return "at least " + strconv.Itoa(n) + " more"
	}
	return strconv.Itoa(n) + " more"
}

// lasting says until when access lasts, in the reader's own zone.
func lasting(a store.LiveAccess) slack.DataTableCell {
	if a.End.IsZero() {
		return slack.NewDataTableRawTextCell("until ended")
	}
	fallback := a.End.UTC().Format("2006-01-02 15:04 UTC")
	return slack.NewDataTableRichTextCell(slack.NewRichTextSection(
		slack.NewRichTextSectionDateElement(a.End.Unix(), "{date_short_pretty}, {time}", nil, &fallback)))
}

// accessTable is a table of live access, with End in each row that can be ended.
func accessTable(list []store.LiveAccess) slack.Block {
	t := slack.NewDataTableBlock("Live access, by its end").WithPageSize(10)
	head := make([]slack.DataTableCell, 0, len(maxCells)+1)
	for _, name := range []string{"Who", "What", "Flow", "Until", "End"} {
		head = append(head, slack.NewDataTableRawTextCell(name))
	}
	t.AddRow(head...)
	for i, a := range list {
		what := a.What
		if a.BreakGlass {
			what = "🚨 " + what
		}
		var row []slack.DataTableCell
		for n, text := range []string{a.Who.Display(), what, a.Title} {
			row = append(row, slack.NewDataTableRawTextCell(plain(text, maxCells[n]).Text))
		}
		var end slack.DataTableCell = slack.NewDataTableRawTextCell(nothing)
		if a.Endable {
			b, _ := endButton(a, i).(*slack.ButtonBlockElement) // button makes no others
			end = slack.NewDataTableActionCell(b).WithFallback(slack.NewDataTableRawTextCell(nothing))
		}
		t.AddRow(append(row, lasting(a), end)...)
	}
	return t
}

// endButton ends access. Its action id is its own in the table: of ids that are the
// same, clients may take one for the other.
func endButton(a store.LiveAccess, i int) slack.BlockElement {
	value := buttonOf(a.Run, workflow.Message{Kind: workflow.KindStatus})
	return button(string(flow.ButtonEnd)+"."+strconv.Itoa(i), value, "End", slack.StyleDanger, "This takes the access of "+a.Who.Display()+" to “"+fit(a.What, 100)+"” away now.")
}

// Series of the chart, in the order in which they are drawn.
var drawn = []struct {
	out  flow.RequestOutcome
	name string
}{
	{flow.OutcomeApproved, "Approved"}, {flow.OutcomeDenied, "Denied"}, {flow.OutcomeExpired, "Expired"},
	{flow.OutcomeCancelled, "Withdrawn"}, {flow.OutcomeOpen, "Open"},
}

// figures appends what became of the requests of the last days.
func (d *adminData) figures(p *page, plainly bool) {
	p.add(slack.NewHeaderBlock(plain(fmt.Sprintf("The last %d days", statDays), maxHeader)))
	var days []string
	var series []slack.DataVisualizationDataSeries
	for _, day := range d.days {
		days = append(days, day.Date.Format("Jan 2"))
	}
	var took []time.Duration
	var said []string
	all := 0
	for _, s := range drawn {
		var points []slack.DataVisualizationDataPoint
		n := 0
		for i, day := range d.days {
			n += day.Of[s.out]
			points = append(points, slack.NewDataVisualizationDataPoint(days[i], float64(day.Of[s.out])))
		}
		if n > 0 {
			series = append(series, slack.NewDataVisualizationDataSeries(s.name, points...))
			said = append(said, strconv.Itoa(n)+" "+strings.ToLower(s.name))
		}
		all += n
	}
	var medians []slack.DataVisualizationDataPoint
	for i, day := range d.days {
		took = append(took, day.Took...)
		medians = append(medians, slack.NewDataVisualizationDataPoint(days[i], float64(day.Median().Round(time.Second))/float64(time.Minute)))
	}
	if all == 0 {
		p.add(section("Nobody has asked for anything."))
		return
	}
	slices.Sort(took)
	text := "*" + count(all, "request") + "*: " + strings.Join(said, ", ") + "."
	if len(took) > 0 {
		text += " Half of the decisions took at most *" + flow.Words(store.Day{Took: took}.Median()) + "*."
	}
	p.add(section(text))
	if plainly {
		return
	}
	axis := slack.NewDataVisualizationAxisConfig(days...)
	p.add(chart("Requests a day, by outcome", slack.NewDataVisualizationBarChart(axis.WithYLabel("Requests"), series...)))
	if len(took) > 0 {
		p.add(chart("Median time to a decision", slack.NewDataVisualizationLineChart(axis.WithYLabel("Minutes"), slack.NewDataVisualizationDataSeries("Median", medians...))))
	}
}

func chart(title string, c slack.DataVisualizationChart) slack.Block {
	return slack.DataVisualizationBlock{Type: slack.MBTDataVisualization, Title: title, Chart: c}
}
