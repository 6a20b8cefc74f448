"""How recipes are carried out."""
