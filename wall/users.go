package wall

import "context"

func (s *Server) listUsers(ctx context.Context, _ *struct{}) (*body[AccountList], error) {
	users, err := s.accounts.Users(ctx)
	return answer(AccountList{Users: orEmpty(users)}, err)
}

type accountInput struct{ Body AccountRequest }

func (s *Server) createUser(ctx context.Context, in *accountInput) (*body[NewAccount], error) {
	b := in.Body
	detail := string(b.Role)
	if b.Department != "" {
		if err := s.known([]string{b.Department}); err != nil {
			return nil, err
		}
		detail += " " + b.Department
	}
	var u Account
	var password string
	if err := s.along(ctx, callerOf(ctx).did("user_create", "user/"+b.Name, detail), func(ctx context.Context) (err error) {
		u, password, err = s.accounts.Create(ctx, b)
		return err
	}); err != nil {
		return nil, accountProblem(err)
	}
	return answer(NewAccount{User: u, Password: password}, nil)
}

type userInput struct {
	Name string `path:"name" maxLength:"64"`
}

func (s *Server) disableUser(ctx context.Context, in *userInput) (*struct{}, error) {
	if err := s.along(ctx, callerOf(ctx).did("user_disable", "user/"+in.Name, ""), func(ctx context.Context) error {
		return s.accounts.Disable(ctx, in.Name)
	}); err != nil {
		return nil, accountProblem(err)
	}
	s.hub.end(func(c *client) bool { return c.user == in.Name }, errEnded)
	return nil, nil
}
