package lab

import "testing"

func TestMedianOfAnEvenCountIsTheMiddle(t *testing.T) {
	if got, _ := Median([]float64{9, 1, 4, 2}); got != 3 {
		t.Errorf("median = %v, want 3", got)
	}
}

func TestNumbersKeepTheirDigitsAndGroups(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{{0.36912, 3, "0.369"}, {8.6, 3, "8.6"}, {17510, 4, "17,510"}, {2503456, 3, "2,500,000"}, {999.9, 3, "1,000"}, {0, 3, "0"}} {
		if got := Number(c.v, c.digits); got != c.want {
			t.Errorf("Number(%v, %d) = %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}
