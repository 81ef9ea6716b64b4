"""What a life cycle costs against the size of everything, as plots, and which of it is flat."""
