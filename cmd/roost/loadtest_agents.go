package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/roost-ws/roost/loadtest"
	"github.com/roost-ws/roost/loadtest/agents"
	"github.com/roost-ws/roost/loadtest/team"
)

// agentFlags say whether other machines take part, and how they come.
type agentFlags struct {
	agents             int
	listen, via, token string
}

func (a *agentFlags) register(f *pflag.FlagSet) {
	count(f, &a.agents, "agents", 0, 0, 1024, "machines that do the run together: wait for so many 'roost loadtest agent'")
	f.StringVar(&a.listen, "listen-agents", "127.0.0.1:4223", "with --agents, where they join: a NATS server of our own at this `address`")
	f.StringVar(&a.via, "agents-via", "", "with --agents, they join at this NATS server (`nats://host:port`) instead")
	f.StringVar(&a.token, "agents-token", "", "the `token` that agents show, better given as ROOST_AGENTS_TOKEN; required unless only this machine can join")
}

// agentsFlags are those that mean nothing on an agent's machine, or that it has itself.
var agentsFlags = []string{"agents", "listen-agents", "agents-via", "agents-token"}

// machineFlags name what is of one machine, with what to do instead on those of agents. An agent refuses
// them: who holds the token must not reach its files and processes.
var machineFlags = map[string]string{
	"kill-pid":     "agents end no process: leave it away and end the server yourself, with --cut server",
	"message-file": "agents read no file: give the message as --message",
	"ca":           "agents read no file: set SSL_CERT_FILE for each agent instead, or --insecure here",
	"server-pid":   "agents can't see this machine's processes: leave it away; an agent on the server's machine finds the server itself",
	"source-ip":    "each agent has addresses of its own: give it to 'roost loadtest agent'",
}

// checkOwn refuses flags that mean something on the leader's machine only.
func checkOwn(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		if instead, ok := machineFlags[f.Name]; ok && f.Value.String() != f.DefValue {
			err = usagef("--%s and --agents: %s", f.Name, instead)
		}
	})
	return err
}

// ahead is how long before it happens agents are told to begin together.
const ahead = 300 * time.Millisecond

// lead has agents do the run.
func (a *agentFlags) lead(ctx context.Context, cmd *cobra.Command, o loadtest.Options, say func(string)) (*loadtest.Report, error) {
	if a.agents > o.Conns {
		return nil, usagef("--agents %d: there are only %d connections; each agent needs one", a.agents, o.Conns)
	}
	if err := checkOwn(cmd.Flags()); err != nil {
		return nil, err
	}
	open := func() (*agents.Host, error) { return agents.Listen(a.listen, a.token) }
	if a.via != "" {
		open = func() (*agents.Host, error) { return agents.Connect(a.via, a.token) }
	}
	host, err := open()
	if err != nil {
		return nil, err
	}
	defer host.Close()
	say(fmt.Sprintf("waiting for %d agents: roost loadtest agent --join nats://%s", a.agents, host.Addr()))
	members, err := host.Accept(ctx, a.agents, func(name string, c team.Clock) {
		say(fmt.Sprintf("%s joined; its clock is %v off, known to ± %v", name, c.Offset.Round(time.Microsecond), c.Bound.Round(time.Microsecond)))
	}, func(name string) { say(name + " is gone; waiting for another") })
	if errors.Is(err, context.Canceled) {
		return nil, errors.New("interrupted before all agents had joined")
	}
	if err != nil {
		return nil, err
	}
	leader := team.Leader{Args: planArgs(cmd), Ahead: ahead, Notice: o.Notice, Progress: o.Progress}
	return leader.Lead(ctx, members)
}

// scenarios are the commands that a leader may have an agent run.
func scenarios(root *cobra.Command) (names []string) {
	for _, c := range root.Commands() {
		if c.Flags().Lookup("conns") != nil {
			names = append(names, c.Name())
		}
	}
	return names
}

func newLoadtestAgentCommand() *cobra.Command {
	var (
		a       agents.Agent
		sources []string
	)
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Wait for work from a loadtest on another machine, and do a share of it",
		Long: `Agent connects to the NATS server of a 'roost loadtest SCENARIO URL --agents N', waits until it is told its share of the run, does it
together with the other agents, and reports to the leader. Then it waits for the next run. It opens connections to whatever URL the leader names, but
takes no file, process or address of this machine from it: let only those join and lead who may, by --token.`,
		Example: `  # on the machine that leads
  ROOST_AGENTS_TOKEN=secret roost loadtest echo ws://10.0.0.5:8081/ --conns 60k --rate 90k --agents 3 --listen-agents 10.0.0.1:4223

  # on each of three others
  ROOST_TOKEN=secret roost loadtest agent --join nats://10.0.0.1:4223 --source-ip 10.0.0.20-10.0.0.29`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("name") {
				host, _ := os.Hostname() // without one the process id must do
				a.Name = fmt.Sprintf("%s (pid %d)", host, os.Getpid())
			}
			if err := checkAgent(a.Name, sources); err != nil {
				return err
			}
			stderr := cmd.ErrOrStderr()
			ctx, stop := untilInterrupted(cmd.Context(), stderr)
			defer stop()
			known := scenarios(cmd.Parent())
			a.Say = func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
			a.Run = func(ctx context.Context, p team.Plan, s *team.Seat) (*loadtest.Report, error) {
				if len(p.Args) == 0 || !slices.Contains(known, p.Args[0]) {
					return nil, fmt.Errorf("the leader asks for %q: this agent knows %s", p.Args, strings.Join(known, ", "))
				}
				return (&teamPart{seat: s, foreign: true, sources: sources}).do(ctx, p, stderr)
			}
			err := a.Join(ctx)
			if errors.Is(err, loadtest.ErrOptions) {
				return usageError{err}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.URL, "join", "nats://127.0.0.1:4223", "the leader's NATS server, as it prints it")
	f.StringVar(&a.Token, "token", "", "what the leader wants agents to show, better given as ROOST_TOKEN")
	f.StringVar(&a.Name, "name", "", "what the leader calls this agent (default: this host's name and the process id)")
	f.StringArrayVar(&sources, "source-ip", nil, "connect from this `address`, or range of addresses, in turn (repeatable)")
	f.BoolVar(&a.Once, "once", false, "end after one run")
	return cmd
}

// checkAgent refuses what would fail each run, before the first leader comes.
func checkAgent(name string, sources []string) error {
	if strings.TrimSpace(name) == "" {
		return usagef("--name %q: the leader could not say which agent it means: give a name, or leave it away for this host's", name)
	}
	if len(sources) == 0 {
		return nil
	}
	_, err := loadtest.ParseSources(strings.Join(sources, ","))
	return asUsage("--source-ip", err)
}
