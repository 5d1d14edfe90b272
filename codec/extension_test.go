package codec

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// inFull spells out the shorthand of the tables: PMD, SN, CN, S and C.
func inFull(s string) string {
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == ',' })
	var out strings.Builder
	for _, w := range words {
		name, value, valued := strings.Cut(strings.TrimSpace(w), "=")
		switch name {
		case "PMD":
			if out.Len() > 0 {
				out.WriteString(", ")
			}
			name = deflateName
		case "SN", "CN", "S", "C":
			name = "; " + deflateParamName(map[string]int{"SN": 0, "CN": 1, "S": 2, "C": 3}[name])
		default:
			name = "; " + name
		}
		out.WriteString(name)
		if valued {
			out.WriteString("=" + value)
		}
	}
	return out.String()
}

const refused = "400"

// The rows up to the blank line were observed on Node's ws 8.
var negotiations = []struct {
	config          DeflateConfig
	offer, response string
}{
	{DeflateConfig{}, "PMD", "PMD"},
	{DeflateConfig{}, "PMD; C", "PMD"},
	{DeflateConfig{}, "PMD; C=10", "PMD; C=10"},
	{DeflateConfig{}, "PMD; S=10", "PMD; S=10"},
	{DeflateConfig{}, "PMD; SN", "PMD; SN"},
	{DeflateConfig{}, "PMD; CN", "PMD; CN"},
	{DeflateConfig{}, "PMD; S=10, PMD", "PMD; S=10"},
	{DeflateConfig{ServerNoContextTakeover: True}, "PMD", "PMD; SN"},
	{DeflateConfig{ServerNoContextTakeover: True}, "PMD; C=10", "PMD; C=10; SN"},
	{DeflateConfig{ServerNoContextTakeover: False}, "PMD; SN", refused},
	{DeflateConfig{ClientNoContextTakeover: True}, "PMD", "PMD; CN"},
	{DeflateConfig{ClientNoContextTakeover: False}, "PMD; CN", "PMD; CN"},
	{DeflateConfig{ServerMaxWindowBits: 11}, "PMD", "PMD; S=11"},
	{DeflateConfig{ServerMaxWindowBits: 11}, "PMD; S=10", refused},
	{DeflateConfig{ServerMaxWindowBits: 11}, "PMD; S=10, PMD", "PMD; S=11"},
	{DeflateConfig{ServerMaxWindowBits: 9}, "PMD; S=10", "PMD; S=9"},
	{DeflateConfig{ServerMaxWindowBits: NoWindowBits}, "PMD; S=10", refused},
	{DeflateConfig{ServerMaxWindowBits: NoWindowBits}, "PMD; S=10, PMD", "PMD"},
	{DeflateConfig{ClientMaxWindowBits: 11}, "PMD", refused},
	{DeflateConfig{ClientMaxWindowBits: 11}, "PMD; C", "PMD; C=11"},
	{DeflateConfig{ClientMaxWindowBits: 11}, "PMD; C=10", refused},
	{DeflateConfig{ClientMaxWindowBits: 9}, "PMD; C=10", "PMD; C=9"},
	{DeflateConfig{ClientMaxWindowBits: NoWindowBits}, "PMD; C=10", "PMD"},
	{DeflateConfig{}, "PMD; S=7", refused},
	{DeflateConfig{}, "PMD; C=16", refused},
	{DeflateConfig{}, "PMD; S", refused},
	{DeflateConfig{}, "PMD; SN=1", refused},
	{DeflateConfig{}, "PMD; SN; SN", refused},
	{DeflateConfig{}, "PMD; foo", refused},
	{DeflateConfig{}, "PMD; foo, PMD", refused},
	{DeflateConfig{ClientMaxWindowBits: 8}, "PMD; C", "PMD; C=8"},

	// A configured value beats the offer's, and stands where the offer had it.
	{
		DeflateConfig{True, True, 12, 11, 0, 0},
		"PMD; S=14; C=13", "PMD; S=12; C=11; SN; CN",
	},
	{DeflateConfig{True, True, 12, 11, 0, 0}, "PMD; C", "PMD; C=11; SN; CN; S=12"},
	{DeflateConfig{ServerMaxWindowBits: 10}, "PMD; S=10", "PMD; S=10"},
	{DeflateConfig{ClientMaxWindowBits: 10}, "PMD; C=10", "PMD; C=10"},
	{DeflateConfig{}, "PMD; CN; C=8; SN; S=15", "PMD; CN; C=8; SN; S=15"},
	{DeflateConfig{}, `PMD; C="10"`, "PMD; C=10"},
	{DeflateConfig{}, `PMD; C="1\0"`, "PMD; C=10"},
	// Numbers are strict decimals.
	{DeflateConfig{}, "PMD; C=010", refused},
	{DeflateConfig{}, "PMD; C=0xa", refused},
	{DeflateConfig{}, "PMD; C=+10", refused},
	{DeflateConfig{}, "PMD; C=1e1", refused},
	{DeflateConfig{}, "PMD; C=10; C=10", refused},
	{DeflateConfig{}, "PMD; C; C", refused},
	{DeflateConfig{}, "PMD; CN=10", refused},
	{DeflateConfig{}, "PMD; S=16", refused},
	{DeflateConfig{}, "PMD; constructor", refused},
}

func TestServerAnswersOffersAsNodeDoes(t *testing.T) {
	for _, row := range negotiations {
		p, response, ok, err := row.config.Negotiate(inFull(row.offer))
		if row.response == refused {
			var refusal *HandshakeError
			if !errors.As(err, &refusal) || refusal.Status != 400 || ok || response != "" {
				t.Errorf("%+v offered %s: got %q, %v, %v; want a 400", row.config, row.offer, response, ok, err)
			} else if want := "Invalid or unacceptable Sec-WebSocket-Extensions header"; refusal.Msg != want {
				t.Errorf("message is %q, want %q", refusal.Msg, want)
			}
			continue
		}
		if err != nil || !ok || response != inFull(row.response) {
			t.Errorf("%+v offered %s: got %q, %v, %v; want %q", row.config, row.offer, response, ok, err, inFull(row.response))
			continue
		}
		if q, ok, err := new(DeflateConfig).Accept(response); err != nil || !ok || p != q {
			t.Errorf("%q: server reads %+v, client %+v, %v, %v", response, p, q, ok, err)
		}
	}
}

func TestAgreedParamsFollowTheResponse(t *testing.T) {
	for offer, want := range map[string]DeflateParams{
		"PMD":                    {ServerBits: 15, ClientBits: 15},
		"PMD; C":                 {ServerBits: 15, ClientBits: 15},
		"PMD; S=8; C=9":          {ServerBits: 8, ClientBits: 9},
		"PMD; SN; C=15":          {ServerNoContextTakeover: true, ServerBits: 15, ClientBits: 15},
		"PMD; CN; SN; S=10; C=8": {true, true, 10, 8},
	} {
		if p, _, ok, err := new(DeflateConfig).Negotiate(inFull(offer)); err != nil || !ok || p != want {
			t.Errorf("%s: got %+v, %v, %v; want %+v", offer, p, ok, err, want)
		}
	}
}

func TestExtensionStaysOff(t *testing.T) {
	var off *DeflateConfig
	on := new(DeflateConfig)
	for _, c := range []struct {
		config *DeflateConfig
		header string
	}{
		{off, deflateName},
		{off, ";;garbage"},
		{on, "x-webkit-deflate-frame"},
		{on, "foo; server_max_window_bits=foo, bar"},
		{on, "Permessage-Deflate"}, // names are case-sensitive
		{on, "constructor, toString; __proto__=1"},
	} {
		if _, response, ok, err := c.config.Negotiate(c.header); response != "" || ok || err != nil {
			t.Errorf("%q: got %q, %v, %v; want the extension off", c.header, response, ok, err)
		}
	}
	if off.Offer() != "" {
		t.Errorf("a client without the extension offers %q", off.Offer())
	}
}

func TestExtensionGrammar(t *testing.T) {
	for header, want := range map[string][]extension{
		"foo":             {{"foo", nil}},
		"foo,bar":         {{"foo", nil}, {"bar", nil}},
		"foo \t,\t bar":   {{"foo", nil}, {"bar", nil}},
		"foo;bar;baz=q":   {{"foo", []extensionParam{{"bar", ""}, {"baz", "q"}}}},
		"foo;bar=1;bar=2": {{"foo", []extensionParam{{"bar", "1"}, {"bar", "2"}}}},
		`f;a="b\a\z";c`:   {{"f", []extensionParam{{"a", "baz"}, {"c", ""}}}},
		`f;a="\x"  ,  g`:  {{"f", []extensionParam{{"a", "x"}}}, {"g", nil}},
		"f; a; b = c":     nil,
		`f;a="1" ; b="2"`: {{"f", []extensionParam{{"a", "1"}, {"b", "2"}}}},
		"!#$%&'*+-.^_`|~": {{"!#$%&'*+-.^_`|~", nil}},
		"":                nil, " ": nil, " foo": nil, "foo ": nil, "foo\t": nil, ",foo": nil, "foo,": nil,
		"foo, ": nil, "foo,,bar": nil, "foo;": nil, "foo; ": nil, "foo;;": nil, "foo;,": nil, "foo;=1": nil,
		"foo;a=": nil, "foo;a= 1": nil, "foo;a=,": nil, "foo;a=1 ": nil, "foo;a b": nil, "foo bar": nil,
		`foo;a="`: nil, `foo;a=""`: nil, `foo;a="b`: nil, `foo;a="b c"`: nil, `foo;a="b\`: nil, `foo;a="\"`: nil,
		`foo;a="b"c`: nil, `foo;a="b""`: nil, `foo;a=b"c"`: nil, `foo"bar"`: nil, `foo;a="b" `: nil,
		"foo;a==b": nil, "f\x00o": nil, "föö": nil, "foo;a=\x7f": nil, "foo\r\n": nil, "foo=1": nil,
	} {
		got, ok := parseExtensions(header)
		if ok != (want != nil) || ok && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, %v; want %v", header, got, ok, want)
		}
	}
}

func TestClientOffer(t *testing.T) {
	for _, row := range []struct {
		config DeflateConfig
		offer  string
	}{
		{DeflateConfig{}, "PMD; C"},
		{DeflateConfig{ClientMaxWindowBits: NoWindowBits}, "PMD"},
		{DeflateConfig{ClientMaxWindowBits: 9, ServerMaxWindowBits: 10}, "PMD; S=10; C=9"},
		{DeflateConfig{ServerNoContextTakeover: True, ClientNoContextTakeover: True}, "PMD; SN; CN; C"},
		{DeflateConfig{ServerNoContextTakeover: False, ServerMaxWindowBits: NoWindowBits}, "PMD; C"},
	} {
		if got := row.config.Offer(); got != inFull(row.offer) {
			t.Errorf("%+v offers %q, want %q", row.config, got, inFull(row.offer))
		}
	}
}

func TestClientChecksTheResponse(t *testing.T) {
	const unknown, invalid = "Server indicated an extension that was not requested", "Invalid Sec-WebSocket-Extensions header"
	def := DeflateParams{ServerBits: 15, ClientBits: 15}
	for _, row := range []struct {
		config   *DeflateConfig
		response string
		want     DeflateParams
		err      string
	}{
		{nil, deflateName, DeflateParams{}, "Server sent a Sec-WebSocket-Extensions header but no extension was requested"},
		{&DeflateConfig{}, "foo", DeflateParams{}, unknown},
		{&DeflateConfig{}, inFull("PMD, PMD"), DeflateParams{}, unknown},
		{&DeflateConfig{}, deflateName + ", foo", DeflateParams{}, unknown},
		{&DeflateConfig{}, deflateName + ",", DeflateParams{}, invalid},
		{&DeflateConfig{}, inFull("PMD; foo"), DeflateParams{}, invalid},
		{&DeflateConfig{}, inFull("PMD; C"), DeflateParams{}, invalid},
		{&DeflateConfig{ClientMaxWindowBits: 10}, inFull("PMD; C=11"), DeflateParams{}, invalid},
		{&DeflateConfig{ClientMaxWindowBits: NoWindowBits}, inFull("PMD; C=11"), DeflateParams{}, invalid},
		{&DeflateConfig{ClientNoContextTakeover: False}, inFull("PMD; CN"), DeflateParams{}, invalid},
		{&DeflateConfig{}, deflateName, def, ""},
		{&DeflateConfig{}, inFull("PMD; SN; CN; S=8; C=9"), DeflateParams{true, true, 8, 9}, ""},
		{&DeflateConfig{ClientMaxWindowBits: 10}, deflateName, DeflateParams{ServerBits: 15, ClientBits: 10}, ""},
		{&DeflateConfig{ClientMaxWindowBits: 10}, inFull("PMD; C=9"), DeflateParams{ServerBits: 15, ClientBits: 9}, ""},
		{&DeflateConfig{ServerMaxWindowBits: 9, ServerNoContextTakeover: True}, deflateName, def, ""},
	} {
		p, ok, err := row.config.Accept(row.response)
		var failed *DialError
		got := ""
		if errors.As(err, &failed) {
			got = failed.Msg
		}
		if got != row.err || ok != (err == nil) || p != row.want {
			t.Errorf("%+v answered %q: got %+v, %v, %v; want %+v, %q", row.config, row.response, p, ok, err, row.want, row.err)
		}
	}
	if _, ok, err := new(DeflateConfig).Accept(""); ok || err != nil {
		t.Errorf("no answer: got %v, %v; want the extension off", ok, err)
	}
}

func TestDeflateConfigValidate(t *testing.T) {
	for _, c := range []DeflateConfig{{}, {True, False, 8, 15, -1, 9}, {False, True, NoWindowBits, NoWindowBits, 1, 1}} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for field, c := range map[string]DeflateConfig{
		"ServerNoContextTakeover": {ServerNoContextTakeover: 3},
		"ClientNoContextTakeover": {ClientNoContextTakeover: -1},
		"ServerMaxWindowBits":     {ServerMaxWindowBits: 7},
		"ClientMaxWindowBits":     {ClientMaxWindowBits: 16},
		"Level":                   {Level: 10},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("bad %s: got %v", field, err)
		}
	}
}

func FuzzExtensions(f *testing.F) {
	for _, row := range negotiations {
		f.Add(inFull(row.offer), int8(row.config.ServerMaxWindowBits), int8(row.config.ClientMaxWindowBits))
	}
	f.Add(`foo;a="b\a\z", permessage-deflate`, int8(0), int8(0))
	f.Fuzz(func(t *testing.T, header string, serverBits, clientBits int8) {
		c := &DeflateConfig{ServerMaxWindowBits: WindowBits(serverBits), ClientMaxWindowBits: WindowBits(clientBits)}
		if c.Validate() != nil {
			return
		}
		p, response, ok, err := c.Negotiate(header)
		if !ok || err != nil {
			if response != "" {
				t.Fatalf("%q: response %q without agreement", header, response)
			}
			return
		}
		q, ok, err := new(DeflateConfig).Accept(response)
		if !ok || err != nil || p != q {
			t.Fatalf("%q: server answers %q and reads %+v, client reads %+v, %v, %v", header, response, p, q, ok, err)
		}
	})
}
