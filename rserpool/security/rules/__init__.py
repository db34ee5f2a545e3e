"""The rules file: users, roles and gates, and who may what by them."""
