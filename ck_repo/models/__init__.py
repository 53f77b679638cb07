"""Files of models, their interfaces, and which framework runs them."""
