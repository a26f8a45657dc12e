package real

import "context"

func beWriter(context.Context, string, string) error { return nil }
func beBacker(context.Context, string, string) error { return nil }
