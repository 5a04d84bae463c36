"""An insurer whose underwriting takes the answer as one rule among its own: approve, refer or decline."""
