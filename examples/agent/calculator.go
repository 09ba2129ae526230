package main

import (
	"context"
	"errors"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"strconv"
	"strings"

	"github.com/posttrain/posttrain/data/tokenizer"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// A call of the calculator is written as in GSM8K: the model says "<<48/2=", is told
// "24>>", and goes on.
const (
	callOpens  = "<<"
	callEnds   = "="
	replyEnds  = ">>"
	maxCalls   = 16  // of a conversation
	maxFormula = 100 // bytes
)

// calculator is the environment that answers calls.
type calculator struct{ words *tokenizer.Tokenizer }

// Step implements rollout.Environment.
func (e calculator) Step(_ context.Context, c *rollout.Completion) (reply []int32, done bool, err error) {
	if c.Finish != generate.FinishStop || calls(c) >= maxCalls {
		return nil, true, nil
	}
	turn := e.lastTurn(c)
	open := strings.LastIndex(turn, callOpens)
	if open < 0 {
		return nil, false, nil // the sign stands in a text, nobody is asked
	}
	formula := strings.TrimSuffix(turn[open+len(callOpens):], callEnds)
	return e.words.AppendIDs(nil, calculate(formula)+replyEnds, false), false, nil
}

// lastTurn is what the policy has said since it was last told something.
func (e calculator) lastTurn(c *rollout.Completion) string {
	from := len(c.Tokens)
	for from > 0 && c.Tokens[from-1].Role == rollout.Sampled {
		from--
	}
	return e.words.Decode(c.IDs()[from:], true)
}

// calls is the number of times that the calculator has replied.
func calls(c *rollout.Completion) (n int) {
	for i, t := range c.Tokens {
		if t.Role == rollout.Observation && (i == 0 || c.Tokens[i-1].Role == rollout.Sampled) {
			n++
		}
	}
	return n
}

// calculate is the value of a formula of + − * / and brackets, or "error".
func calculate(formula string) string {
	tree, err := parser.ParseExpr(formula)
	if err != nil || len(formula) > maxFormula {
		return "error"
	}
	v, err := value(tree)
	if err != nil {
		return "error"
	}
	if n, exact := constant.Int64Val(constant.ToInt(v)); exact {
		return strconv.FormatInt(n, 10)
	}
	f, _ := constant.Float64Val(v)
	return strconv.FormatFloat(f, 'g', 10, 64)
}

var errFormula = errors.New("not a formula of numbers")

func value(tree ast.Expr) (constant.Value, error) {
	switch x := tree.(type) {
	case *ast.ParenExpr:
		return value(x.X)
	case *ast.BasicLit:
		if x.Kind == token.INT || x.Kind == token.FLOAT && !strings.ContainsAny(x.Value, "eEpP") {
			if v := constant.MakeFromLiteral(x.Value, x.Kind, 0); v.Kind() != constant.Unknown {
				return v, nil
			}
		}
	case *ast.UnaryExpr:
		if v, err := value(x.X); err == nil && x.Op == token.SUB {
			return constant.UnaryOp(token.SUB, v, 0), nil
		}
	case *ast.BinaryExpr:
		a, err := value(x.X)
		b, err2 := value(x.Y)
		if err == nil && err2 == nil && strings.Contains("+-*/", x.Op.String()) && (x.Op != token.QUO || constant.Sign(b) != 0) {
			return constant.BinaryOp(a, x.Op, b), nil
		}
	}
	return nil, errFormula
}
