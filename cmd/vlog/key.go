package main

import (
	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// keyFlags say how the key of a verb is given, and which batch it must be of.
type keyFlags struct {
	b64   bool
	ifSeq int64 // -1: any
}

// addKeyB64 adds the flag for keys that cannot be typed.
func (k *keyFlags) addKeyB64(cmd *cobra.Command) {
	k.ifSeq = -1
	cmd.Flags().BoolVar(&k.b64, "key-b64", false, "keys are given in base64, as --json prints them")
}

// addIfSeq adds the flag for a change that must not undo another one.
func (k *keyFlags) addIfSeq(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&k.ifSeq, "if-seq", -1, "only where the key is of this batch (0: where there is no such key)")
}

// check refuses what no batch can be.
func (k *keyFlags) check(cmd *cobra.Command) error {
	if k.ifSeq < 0 && cmd.Flags().Changed("if-seq") {
		return usagef("--if-seq is not below 0")
	}
	return nil
}

// bytes returns the key that an argument gives.
func (k *keyFlags) bytes(arg string) ([]byte, error) {
	if !k.b64 {
		return []byte(arg), nil
	}
	b, err := fromB64(arg)
	if err != nil {
		return nil, usagef("the key %s is not base64", quoted(arg))
	}
	return b, nil
}

// otherSeq is the error for a key that is not of the batch that --if-seq expects.
type otherSeq struct {
	tenant   string
	key      []byte
	want, is uint64 // 0: no such key
}

func (o *otherSeq) Error() string {
	s := o.tenant + " " + quoted(string(o.key)) + ": conflict: "
	switch {
	case o.want == 0:
		return s + "expected no such key, is #" + number(o.is)
	case o.is == 0:
		return s + "expected #" + number(o.want) + ", there is no such key"
	}
	return s + "expected #" + number(o.want) + ", is #" + number(o.is)
}

func (o *otherSeq) Unwrap() error { return engine.ErrConflict }
