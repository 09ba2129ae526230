package rlhf

// Losses lists one of every policy loss of this package, with its default
// hyperparameters, for documentation, command lines and tests.
func Losses() []Loss {
	return []Loss{
		REINFORCE{}, A2C{}, GPG{}, MRT{}, RLOO{}, PPO{}, GRPO{}, DrGRPO{Length: 512}, DAPO{}, BNPO{}, GSPO{}, GSPO{PerToken: true},
		LUSPO{}, GMPO{}, CISPO{}, SAPO{}, VESPO{}, TOPR{},
	}
}
