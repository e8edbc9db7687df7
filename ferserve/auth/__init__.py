"""Who calls, and what they may: tokens, certificates, roles."""
