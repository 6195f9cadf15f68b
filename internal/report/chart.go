package report

import (
	"fmt"
	"html"
	"html/template"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// series are the outcomes in the order in which charts stack them, with what people
// read. Their colours are classes of the page.
var series = []struct {
	Outcome flow.RequestOutcome
	Title   string
}{
	{flow.OutcomeApproved, "Approved"}, {flow.OutcomeDenied, "Denied"}, {flow.OutcomeExpired, "Expired"},
	{flow.OutcomeCancelled, "Withdrawn"}, {flow.OutcomeOpen, "Open"},
}

// drawing is an SVG picture in the making. Lengths are its own units.
type drawing struct {
	strings.Builder
	width, height int
}

// draw begins a picture. Its title and what it shows are read out in place of it.
func draw(id string, width, height int, title, shows string) *drawing {
	d := &drawing{width: width, height: height}
	fmt.Fprintf(d, `<svg viewBox="0 0 %d %d" role="img" aria-labelledby="%s-title %s-shows"><title id="%s-title">%s</title><desc id="%s-shows">%s</desc>`,
		width, height, id, id, id, html.EscapeString(title), id, html.EscapeString(shows))
	return d
}

func (d *drawing) rect(class string, x, y, w, h float64, title string) {
	if w <= 0 || h <= 0 {
		return
	}
	fmt.Fprintf(d, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`, class, x, y, w, h, html.EscapeString(title))
}

func (d *drawing) text(anchor string, x, y float64, text string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, html.EscapeString(text))
}

func (d *drawing) line(x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, x1, y1, x2, y2)
}

func (d *drawing) done() template.HTML { return template.HTML(d.String() + "</svg>") }

// scale gives the step between the lines of a grid, so that at most four of them reach
// the highest value: 1, 2 or 5 of a power of ten.
func scale(highest int) (step, top int) {
	step = 1
	for factor := 0; step*4 < highest; factor++ {
		step = step * []int{2, 5, 2}[factor%3] / []int{1, 2, 1}[factor%3]
	}
	return step, step * max((highest+step-1)/step, 1)
}

// plot is where bars stand in a picture: their left end, top and bottom.
const (
	plotLeft, plotTop = 36.0, 10.0
	plotFoot          = 26.0
)

// grid draws the lines behind bars, and gives the height of one.
func (d *drawing) grid(highest int) float64 {
	step, top := scale(highest)
	room := float64(d.height) - plotTop - plotFoot
	for n := 0; n <= top; n += step {
		y := plotTop + room*(1-float64(n)/float64(top))
		d.line(plotLeft, y, float64(d.width), y)
		d.text("end", plotLeft-6, y+4, fmt.Sprint(n))
	}
	return room / float64(top)
}

// byDay draws requests by day and outcome.
func (r Report) byDay() template.HTML {
	highest := 0
	for _, day := range r.Days {
		highest = max(highest, day.Outcomes.total())
	}
	d := draw("days", 720, 210, "Requests by day", fmt.Sprintf("%s on %s; at most %d on one.", countOf(r.Requests.Total, "request"), countOf(len(r.Days), "day"), highest))
	unit := d.grid(highest)
	room := (float64(d.width) - plotLeft) / float64(len(r.Days))
	for i, day := range r.Days {
		x, y := plotLeft+room*float64(i)+room*0.15, float64(d.height)-plotFoot
		for _, s := range series {
			n := day.Outcomes[s.Outcome]
			h := unit * float64(n)
			y -= h
			d.rect("of-"+string(s.Outcome), x, y, room*0.7, h, fmt.Sprintf("%s: %d %s", day.Date, n, strings.ToLower(s.Title)))
		}
		if i == 0 || (i+1)%5 == 0 && len(r.Days)-i > 2 || i == len(r.Days)-1 {
			d.text("middle", x+room*0.35, float64(d.height)-8, strings.TrimPrefix(day.Date[8:], "0"))
		}
	}
	return d.done()
}

func (o Outcomes) total() (n int) {
	for _, count := range o {
		n += count
	}
	return n
}

// byTime draws how much took how long. What is beyond the bound that late says has
// another colour; 0: nothing has.
func byTime(id, title, what string, list []Bucket, late int64) template.HTML {
	highest, total := 0, 0
	for _, b := range list {
		highest, total = max(highest, b.Count), total+b.Count
	}
	d := draw(id, 350, 190, title, fmt.Sprintf("%s, counted by how long they took.", countOf(total, what)))
	unit := d.grid(highest)
	room := (float64(d.width) - plotLeft) / float64(len(list))
	for i, b := range list {
		label, class := "more", "bar"
		if b.UpTo > 0 {
			label = short(b.UpTo)
		}
		if late > 0 && (b.UpTo == 0 || b.UpTo > late) {
			class = "bar late"
		}
		x, h := plotLeft+room*float64(i), unit*float64(b.Count)
		d.rect(class, x+room*0.12, float64(d.height)-plotFoot-h, room*0.76, h, fmt.Sprintf("up to %s: %d", label, b.Count))
		d.text("middle", x+room/2, float64(d.height)-8, label)
	}
	return d.done()
}

// maxBars is how many flows are drawn; the table has them all.
const maxBars = 10

// byFlow draws requests by flow and outcome.
func (r Report) byFlow() template.HTML {
	flows := r.Flows[:min(len(r.Flows), maxBars)]
	highest := 1
	for _, f := range flows {
		highest = max(highest, f.Total)
	}
	const row, left, right = 34, 0.0, 40.0
	d := draw("flows", 720, row*max(len(flows), 1)+4, "Requests by flow", fmt.Sprintf("The %s with the most requests.", countOf(len(flows), "flow")))
	for i, f := range flows {
		y, x := float64(row*i), left
		d.text("start", left, y+12, flow.Clip(f.Title, 80))
		for _, s := range series {
			w := (float64(d.width) - left - right) * float64(f.Outcomes[s.Outcome]) / float64(highest)
			d.rect("of-"+string(s.Outcome), x, y+17, w, 12, fmt.Sprintf("%s: %d %s", f.Title, f.Outcomes[s.Outcome], strings.ToLower(s.Title)))
			x += w
		}
		d.text("start", x+6, y+27, fmt.Sprint(f.Total))
	}
	return d.done()
}
